//! The keys and tokens of services: one rule for each shape that a service gives them.
//!
//! A shape is the service's own prefix and alphabet, as its documentation or the keys themselves show them. Patterns
//! are taken loosely where services have changed lengths.

use super::rule::Anchor::{Before, Part, Run, Word};
use super::rule::Check::{Block, InUrl, NoDigest, Random};
use super::rule::Secret::{Near, Next};
use super::rule::{Rule, at, behind, prefix};
use crate::config::SecretKind as Kind;

/// A private key in PEM: up to its end, or what there is of it. Nothing in it has two hyphens in a row, so that no search goes beyond
/// the next mark.
macro_rules! pem {
    ($name:literal) => {
        concat!(
            "-----BEGIN ",
            $name,
            r"PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]|-[^-])*-----END ",
            $name,
            r"PRIVATE KEY(?: BLOCK)?-----|(?:\s|\\[nr])*",
            r"(?:(?i:Version|Comment|Hash|Charset|Proc-Type|DEK-Info): [^\r\n\\]{1,100}(?:\s|\\[nr])+){0,6}",
            r"(?:[A-Za-z0-9+/=]{16,}(?:\s|\\[nr])*)*)"
        )
    };
}

/// What the seed of one-time passwords is called.
const TOTP_NAMES: &[&str] = &["2fa", "mfa", "totp", "otp", "two-factor", "authenticator"];

/// Up to such a seed.
macro_rules! totp {
    () => {
        concat!(
            "(?i:2fa|mfa|totp|otp|two-factor|authenticator)(?i:[ _-](?:auth|app|setup|shared|manual|entry)){0,2}",
            r#"[ _-]?(?i:secret|seed|key|code)(?i:[ _-]key)?["'*]{0,3}(?:\s{0,2}[:=]\s{0,2}|\s(?:(?:is|ist|est|es):?\s)?)["'`*]{0,3}"#
        )
    };
}

/// The rules; where two find the same bytes the first one names the kind.
pub(super) const SERVICES: &[Rule] = &[
    // Whole keys.
    at(Kind::SshKey, Part(&["-----BEGIN OPENSSH"]), pem!("OPENSSH ")).checked(Block),
    at(
        Kind::SshKey,
        Part(&["---- BEGIN SSH2"]),
        r"---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----(?:[^-]|-[^-])*(?:---- END SSH2 (?:ENCRYPTED )?PRIVATE KEY ----)?",
    )
    .checked(Block),
    behind(
        Kind::SshKey,
        Word(&["Private-Lines:"]),
        r"(?i:Private-Lines): [0-9]+(?:\s|\\[nr]){1,4}",
        Next(r"[A-Za-z0-9+/=]+(?:(?:\r?\n|\\r\\n|\\n)[A-Za-z0-9+/=]{16,})*"),
    ),
    at(Kind::PrivateKey, Part(&["-----BEGIN "]), pem!("(?:[A-Z0-9]+ ){0,3}")).checked(Block),
    prefix(Kind::AgeKey, &["AGE-SECRET-KEY-"], "(?i:AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{50,})"),
    // What opens a wallet, and seeds of one-time passwords.
    at(Kind::WalletKey, Run, r"(?:5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})\b{end-half}").checked(Random),
    at(Kind::WalletKey, Run, r"S[A-Z2-7]{55}\b{end-half}").checked(Random),
    prefix(
        Kind::WalletKey,
        &["xprv", "yprv", "zprv", "tprv", "uprv", "vprv"],
        "[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{100,112}",
    ),
    behind(
        Kind::TotpSecret,
        Word(&["otpauth://"]),
        r"(?i:otpauth)://(?i:totp|hotp)/[^\s?]{0,200}\?(?:[a-z]{1,16}=[^\s&]{0,200}&){0,8}secret=",
        Next("[A-Za-z2-7]{8,128}={0,6}"),
    ),
    behind(Kind::TotpSecret, Word(TOTP_NAMES), totp!(), Next(r"[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,15}\b{end-half}")),
    behind(Kind::TotpSecret, Word(TOTP_NAMES), totp!(), Next(r"[A-Z2-7]{16,64}\b{end-half}")),
    behind(Kind::TotpSecret, Word(TOTP_NAMES), totp!(), Next(r"[a-z2-7]{4}(?: [a-z2-7]{4}){3,15}\b{end-half}"))
        .checked(Random),
    // Models.
    prefix(Kind::Anthropic, &["sk-ant-"], "sk-ant-[A-Za-z0-9_-]{20,}"),
    prefix(Kind::OpenRouter, &["sk-or-"], "sk-or-(?:v[0-9]-)?[A-Za-z0-9]{32,}"),
    prefix(Kind::OpenAi, &["sk-"], "sk-[A-Za-z0-9_-]{20,}").checked(Random),
    prefix(Kind::HuggingFace, &["hf_", "api_org_"], "(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    prefix(Kind::Replicate, &["r8_"], "r8_[A-Za-z0-9]{37,}"),
    prefix(Kind::Groq, &["gsk_"], "gsk_[A-Za-z0-9]{40,}"),
    prefix(Kind::Xai, &["xai-"], "xai-[A-Za-z0-9]{40,}"),
    prefix(Kind::Perplexity, &["pplx-"], "pplx-[A-Za-z0-9]{40,}"),
    prefix(Kind::Nvidia, &["nvapi-"], "nvapi-[A-Za-z0-9_-]{40,}"),
    prefix(Kind::Pinecone, &["pcsk_"], "pcsk_[A-Za-z0-9_]{40,}"),
    prefix(Kind::LangSmith, &["lsv2_"], "lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    prefix(Kind::Fireworks, &["fw_"], "fw_[A-Za-z0-9]{20,}").checked(Random),
    prefix(Kind::Cerebras, &["csk-"], r"csk-[a-z0-9]{40,}").checked(Random),
    prefix(Kind::Jina, &["jina_"], "jina_[A-Za-z0-9_-]{40,}"),
    prefix(Kind::Tavily, &["tvly-"], "tvly-[A-Za-z0-9_-]{24,}").checked(Random),
    prefix(Kind::Firecrawl, &["fc-"], r"fc-[0-9a-f]{32}\b{end-half}"),
    prefix(Kind::E2b, &["e2b_"], r"e2b_[0-9a-f]{40}\b{end-half}"),
    prefix(Kind::ElevenLabs, &["sk_"], "sk_[0-9a-f]{48}"),
    // Clouds.
    behind(
        Kind::AwsSecretKey,
        Word(&["AKIA", "ASIA"]),
        "(?:AKIA|ASIA)[A-Z0-9]{16}",
        Near(100, "[A-Za-z0-9+/]{40}"),
    )
    .checked(Random),
    behind(
        Kind::AwsSecretKey,
        Part(&["secret_access_key", "secretaccesskey", "secret access key", "secret-access-key", "aws_secret", "aws secret"]),
        "(?i:(?:aws[ _-])?secret[ _-]?(?:access[ _-]?)?(?:key)?)",
        Near(24, "[A-Za-z0-9+/]{40}"),
    )
    .checked(Random),
    prefix(Kind::AwsSecretKey, &["ABSK", "bedrock-api-key-"], "(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{60,}={0,2}"),
    prefix(Kind::AwsAccessKey, &["AKIA", "ASIA", "ABIA", "ACCA"], "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}"),
    prefix(Kind::GoogleApiKey, &["AIza", "AQ.Ab8"], r"AIza[A-Za-z0-9_-]{35,}|AQ\.Ab8[A-Za-z0-9_-]{30,}"),
    prefix(
        Kind::GoogleOauth,
        &["ya29.", "1//0", "GOCSPX-"],
        r"ya29\.[A-Za-z0-9_.-]{20,}|1//0[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}",
    ),
    behind(
        Kind::AzureStorage,
        Word(&["AccountKey=", "SharedAccessKey="]),
        "(?i:AccountKey|SharedAccessKey)=",
        Next("[A-Za-z0-9+/]{40,}={0,2}"),
    ),
    behind(Kind::AzureStorage, Word(&["sig="]), "sig=", Next("[A-Za-z0-9%+/]{42,}(?:%3[Dd]|=)")),
    at(Kind::AzureStorage, Before(86, &["=="]), "[A-Za-z0-9+/]{86}==").checked(NoDigest),
    at(Kind::AzureClientSecret, Before(3, &["7Q~", "8Q~"]), "[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{30,}"),
    prefix(Kind::DigitalOcean, &["dop_v1_", "doo_v1_", "dor_v1_"], "do[opr]_v1_[0-9a-f]{40,}"),
    prefix(
        Kind::Cloudflare,
        &["v1.0-", "cfut_", "cfat_", "cfk_"],
        r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|cf(?:ut|at|k)_[A-Za-z0-9_-]{40,}",
    ),
    behind(
        Kind::Cloudflare,
        Part(&["cloudflare", "cf_api", "x-auth-key"]),
        "(?i:cloudflare|cf_api|x-auth-key)",
        Near(48, "[0-9a-f]{37}|[A-Za-z0-9_-]{40}"),
    )
    .checked(Random),
    prefix(
        Kind::FlyIo,
        &["fo1_", "fm1r_", "fm1a_", "fm2_"],
        "fo1_[A-Za-z0-9_-]{40,}|(?:fm1[ar]|fm2)_[A-Za-z0-9+/_-]{60,}={0,2}(?:,(?:fm1[ar]|fm2)_[A-Za-z0-9+/_-]{60,}={0,2})*",
    ),
    prefix(Kind::Heroku, &["HRKU-"], "HRKU-[A-Za-z0-9_-]{36,}"),
    behind(Kind::Heroku, Part(&["heroku"]), "(?i:heroku)", Near(48, "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    prefix(Kind::Alibaba, &["LTAI"], "LTAI[A-Za-z0-9]{12,}"),
    prefix(Kind::Databricks, &["dapi"], "dapi[0-9a-f]{32}(?:-[0-9]{1,2})?"),
    prefix(Kind::Netlify, &["nfp_", "nfc_", "nfo_", "nfu_", "nfb_"], "nf[pcoub]_[A-Za-z0-9_-]{36,}"),
    prefix(Kind::Vercel, &["vcp_", "vci_", "vca_", "vcr_", "vck_"], "vc[piark]_[A-Za-z0-9]{24,}"),
    prefix(Kind::Render, &["rnd_"], "rnd_[A-Za-z0-9]{28,}").checked(Random),
    prefix(Kind::Supabase, &["sbp_", "sb_secret_"], "sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{28,}"),
    prefix(Kind::PlanetScale, &["pscale_"], "pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}"),
    // Where code is kept, built and published.
    prefix(
        Kind::GitHub,
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        "gh[pousr]_[A-Za-z0-9][A-Za-z0-9_.-]{34,}|github_pat_[A-Za-z0-9_]{22,}",
    ),
    prefix(
        Kind::GitLab,
        &["glpat-", "glptt-", "glcbt-", "gldt-", "glrt-", "glft-", "glsoat-", "glagent-", "glimt-", "glffct-", "gloas-", "GR1348941"],
        "(?:gl(?:pat|ptt|cbt|dt|rt|ft|soat|agent|imt|ffct|oas)-|GR1348941)[A-Za-z0-9_.=-]{20,}",
    ),
    prefix(Kind::Npm, &["npm_"], "npm_[A-Za-z0-9]{36,}"),
    behind(Kind::Npm, Part(&["_authToken"]), r#"(?i:_authToken)["']?\s?[=:]\s?["']?"#, Next("[A-Za-z0-9_+/.=-]{16,}"))
        .checked(Random),
    prefix(Kind::PyPi, &["pypi-"], "pypi-[A-Za-z0-9_-]{50,}"),
    prefix(Kind::RubyGems, &["rubygems_"], "rubygems_[0-9a-f]{40,}"),
    at(Kind::CratesIo, Run, r"cio[A-Za-z0-9]{32}\b{end-half}").checked(Random),
    prefix(Kind::Clojars, &["CLOJARS_"], "CLOJARS_[a-z0-9]{60}"),
    prefix(Kind::Docker, &["dckr_pat_", "dckr_oat_"], "dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    prefix(Kind::Buildkite, &["bkua_"], "bkua_[a-z0-9]{40}"),
    prefix(Kind::CircleCi, &["CCIPAT_", "CCIPRJ_"], "CCIP(?:AT|RJ)_[A-Za-z0-9_]{40,}"),
    prefix(Kind::SonarQube, &["sqp_", "sqa_", "squ_"], "sq[pau]_[0-9a-f]{40}"),
    prefix(Kind::Sourcegraph, &["sgp_"], "sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    prefix(Kind::Pulumi, &["pul-"], "pul-[0-9a-f]{40}"),
    at(Kind::Terraform, Before(14, &[".atlasv1."]), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    prefix(Kind::Prefect, &["pnu_", "pnb_"], "pn[ub]_[A-Za-z0-9]{36}"),
    prefix(Kind::Postman, &["PMAK-"], "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    // What watches and keeps secrets.
    prefix(
        Kind::Grafana,
        &["glsa_", "glc_", "eyJrIjoi"],
        "glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}|glc_[A-Za-z0-9+/]{32,}={0,2}|eyJrIjoi[A-Za-z0-9+/]{50,}={0,2}",
    ),
    behind(Kind::Sentry, Part(&["://"]), "://", Next("[0-9a-f]{32}(?::[0-9a-f]{32})?@")).checked(InUrl),
    prefix(Kind::Sentry, &["sntrys_", "sntryu_"], "sntrys_eyJ[A-Za-z0-9+/=_]{40,}|sntryu_[0-9a-f]{64}"),
    prefix(Kind::NewRelic, &["NRAK-", "NRII-", "NRAA-", "NRJS-", "NRIQ-", "NRRA-"], "NR[A-Z]{2}-[A-Za-z0-9_-]{19,}"),
    at(Kind::NewRelic, Before(36, &["NRAL"]), r"(?:[0-9a-f]{36}|eu01xx[0-9a-f]{30})NRAL\b{end-half}"),
    behind(
        Kind::Datadog,
        Part(&["dd_ap", "dd-ap", "datadog"]),
        "(?i:dd|datadog)[ _-](?i:api|app(?:lication)?)[ _-]?(?i:key)",
        Near(24, "[0-9a-f]{32}|[0-9a-f]{40}"),
    )
    .checked(Random),
    prefix(Kind::Dynatrace, &["dt0"], r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    prefix(Kind::PostHog, &["phx_"], "phx_[A-Za-z0-9_]{40,}"),
    prefix(Kind::Vault, &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    prefix(Kind::Vault, &["s."], r"s\.[A-Za-z0-9]{24}\b{end-half}").checked(Random),
    prefix(Kind::Doppler, &["dp."], r"dp\.(?:pt|st|sa|ct|scim|audit|said)\.[A-Za-z0-9_.-]{32,}"),
    prefix(Kind::OnePassword, &["ops_eyJ"], "ops_eyJ[A-Za-z0-9+/_-]{40,}={0,2}"),
    prefix(
        Kind::OnePassword,
        &["A3-"],
        "A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    prefix(Kind::Tailscale, &["tskey-"], "tskey-[a-z]+-[A-Za-z0-9-]{16,}"),
    // Payments and shops.
    prefix(
        Kind::Stripe,
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_prod_", "rk_prod_", "whsec_"],
        "[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}={0,2}",
    ),
    prefix(Kind::Square, &["sq0", "EAAA"], r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{56,}"),
    prefix(Kind::Shopify, &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_"], "shp[a-z]{2,3}_[0-9A-Fa-f]{32,}"),
    prefix(Kind::Shippo, &["shippo_"], "shippo_(?:live|test)_[0-9a-f]{40}"),
    prefix(Kind::EasyPost, &["EZAK", "EZTK"], "EZ[AT]K[A-Za-z0-9]{54}"),
    // Messages.
    behind(
        Kind::SlackWebhook,
        Word(&["hooks.slack.com/"]),
        r"(?i:hooks\.slack\.com)/(?:services|workflows|triggers)/",
        Next("[A-Za-z0-9/_-]{20,}"),
    ),
    prefix(Kind::Slack, &["xox", "xapp-", "xwfp-"], r"(?:xox[a-z](?:\.xox[a-z])?|xapp|xwfp)-[A-Za-z0-9%/+=-]{10,}"),
    at(Kind::Twilio, Run, r"SK[0-9a-f]{32}\b{end-half}"),
    behind(Kind::Twilio, Part(&["twilio"]), "(?i:twilio)", Near(64, "[0-9a-f]{32}")).checked(Random),
    prefix(Kind::SendGrid, &["SG."], r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    prefix(Kind::Mailgun, &["key-"], r"key-[0-9a-z]{32}\b{end-half}").checked(Random),
    prefix(Kind::Brevo, &["xkeysib-", "xsmtpsib-"], "x(?:key|smtp)sib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    at(Kind::Mailgun, Run, r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b{end-half}"),
    at(Kind::Mailchimp, Run, r"[0-9a-f]{32}-us[0-9]{1,2}\b{end-half}"),
    prefix(Kind::Resend, &["re_"], "re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    behind(
        Kind::Discord,
        Word(&["discord.com/api/", "discordapp.com/api/"]),
        r"(?i:discord(?:app)?\.com)/api/(?:v[0-9]+/)?webhooks/[0-9]+/",
        Next("[A-Za-z0-9_-]{40,}"),
    ),
    at(Kind::Discord, Run, r"[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    at(Kind::Telegram, Before(10, &[":AA"]), "[0-9]{10}:AA[A-Za-z0-9_-]{32,}"),
    at(Kind::Telegram, Before(9, &[":AA"]), "[0-9]{9}:AA[A-Za-z0-9_-]{32,}"),
    at(Kind::Telegram, Before(8, &[":AA"]), "[0-9]{8}:AA[A-Za-z0-9_-]{32,}"),
    prefix(Kind::Facebook, &["EAA"], "EAA[A-Z][A-Za-z0-9]{80,}"),
    // What people write, plan and draw with.
    prefix(Kind::Notion, &["ntn_", "secret_"], r"ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}\b{end-half}"),
    prefix(Kind::Linear, &["lin_api_", "lin_oauth_", "lin_wh_"], "lin_(?:api|oauth|wh)_[A-Za-z0-9]{32,}"),
    prefix(Kind::Airtable, &["pat"], r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    prefix(Kind::Atlassian, &["ATATT3", "ATCTT3", "ATBB"], "AT[AC]TT3[A-Za-z0-9_=-]{60,}|ATBB[A-Za-z0-9]{28,}"),
    prefix(Kind::Dropbox, &["sl."], r"sl\.(?:u\.)?[A-Za-z0-9_-]{100,}"),
    prefix(Kind::Figma, &["figd_", "figo_", "figu_", "figoh_", "figor_"], "fig[a-z]{1,2}_[A-Za-z0-9_-]{40,}"),
    prefix(Kind::Typeform, &["tfp_"], "tfp_[A-Za-z0-9_.=-]{40,}"),
    prefix(Kind::Contentful, &["CFPAT-"], "CFPAT-[A-Za-z0-9_-]{40,}"),
    prefix(Kind::HubSpot, &["pat-"], "pat-[a-z]{2}[0-9]-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    prefix(Kind::Mapbox, &["sk.eyJ"], r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    prefix(Kind::Adafruit, &["aio_"], r"aio_[A-Za-z0-9]{28}\b{end-half}"),
];
