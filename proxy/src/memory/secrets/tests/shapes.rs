//! Secrets as services make them, for tests: drawn at run time, so that none is written here and no scanner takes this file for a leak.

use fastrand::Rng;

use crate::config::SecretKind;
use crate::config::SecretKind as Kind;

/// A secret that nobody has ever had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) kind: SecretKind,
    /// What has to stand before it, if its own shape does not say that it is one.
    pub(super) lead: String,
    pub(super) secret: String,
    /// What has to stand behind it.
    pub(super) end: String,
}

impl Made {
    /// All of it.
    pub(super) fn text(&self) -> String {
        format!("{}{}{}", self.lead, self.secret, self.end)
    }

    /// All of it as it is to be stored.
    pub(super) fn masked(&self) -> String {
        format!("{}[secret: {}]{}", self.lead, self.kind.label(), self.end)
    }
}

/// Secrets of every shape, `each` of each, always the same ones for the same seed.
pub(super) fn made(seed: u64, each: usize) -> Vec<Made> {
    let mut random = Rng::with_seed(seed);
    let of_shape = |(kind, shape): &(SecretKind, &str), random: &mut Rng| {
        let (lead, rest) = shape.split_once('<').unwrap_or(("", shape));
        let (secret, end) = rest.split_once('>').unwrap_or((rest, ""));
        let [lead, secret, end] = [lead, secret, end].map(|part| drawn(part, random));
        Made { kind: *kind, lead, secret, end }
    };
    let bare = |kind, secret| Made { kind, lead: String::new(), secret, end: String::new() };
    let mut made = Vec::new();
    for _ in 0..each {
        made.extend(SHAPES.iter().map(|shape| of_shape(shape, &mut random)));
        made.extend(CARDS.iter().map(|card| bare(Kind::PaymentCard, self::card(*card, &mut random))));
        made.extend(ACCOUNTS.iter().map(|account| bare(Kind::Iban, iban(*account, &mut random))));
        made.push(bare(Kind::PrivateKey, private_key("RSA ", 12, &mut random)));
        made.push(bare(Kind::PrivateKey, private_key("", 2, &mut random)));
        made.push(bare(Kind::SshKey, private_key("OPENSSH ", 5, &mut random)));
    }
    made
}

/// A shape with its letters drawn: `{20w}` is twenty of the class `w`, and `|` only parts a prefix.
fn drawn(shape: &str, random: &mut Rng) -> String {
    let mut text = String::new();
    let mut rest = shape;
    while let Some((before, after)) = rest.split_once('{') {
        text.extend(before.chars().filter(|letter| *letter != '|'));
        let (code, after) = after.split_once('}').unwrap_or((after, ""));
        let (count, class) = code.split_at(code.len() - 1);
        let letters = LETTERS.iter().find(|(name, _)| *name == class).map_or("", |(_, letters)| letters);
        let letters: Vec<char> = letters.chars().collect();
        let count: usize = count.parse().unwrap_or(0);
        // Whatever else is drawn, some of a kind are there: real keys that have none are rarer than these tests are many.
        let sure = ["a", "B", "7"].iter().filter(|sure| letters.contains(&sure.chars().next().unwrap_or(' ')));
        let sure: Vec<&str> = sure.copied().collect();
        for at in 0..count {
            match sure.get(at.wrapping_sub(1)).filter(|_| count > 8) {
                Some(sure) => text.push_str(sure),
                None => text.extend(random.choice(letters.iter())),
            }
        }
        rest = after;
    }
    text.extend(rest.chars().filter(|letter| *letter != '|'));
    text
}

const LETTERS: [(&str, &str); 11] = [
    ("x", "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ123456789"),
    ("t", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    ("w", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ("k", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ("b", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"),
    ("u", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
    ("h", "0123456789abcdef"),
    ("d", "0123456789"),
    ("l", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ("C", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ("s", "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%+?"),
];

/// What services give out; a secret within something else stands between angle brackets.
const SHAPES: &[(SecretKind, &str)] = &[
    (Kind::OpenAi, "s|k-{48w}"),
    (Kind::OpenAi, "s|k-proj-{74u}T3|Blbk|FJ{74u}k"),
    (Kind::OpenAi, "s|k-{32h}"),
    (Kind::Anthropic, "s|k-ant-|api03-{93u}AA"),
    (Kind::OpenRouter, "s|k-or-|v1-{64h}"),
    (Kind::AwsAccessKey, "AK|IA{16C}"),
    (Kind::AwsAccessKey, "AS|IA{16C}"),
    (Kind::AwsSecretKey, "aws_secret_|access_key = <{40b}>"),
    (Kind::AwsSecretKey, "AWS Secret |Access Key: <{40b}>"),
    (Kind::AwsSecretKey, r#""Secret|AccessKey": "<{40b}>""#),
    (Kind::GoogleApiKey, "AI|za{35w}"),
    (Kind::GoogleOauth, "ya|29.{120u}k"),
    (Kind::GoogleOauth, "GOC|SPX-{28w}"),
    (Kind::GitHub, "gh|p_{36w}"),
    (Kind::GitHub, "gh|o_{36w}"),
    (Kind::GitHub, "gh|s_{36w}"),
    (Kind::GitHub, "github|_pat_{22w}_{59w}"),
    (Kind::GitLab, "gl|pat-{20w}"),
    (Kind::Slack, "xo|xb-{12d}-{13d}-{24w}"),
    (Kind::Slack, "xo|xp-{12d}-{12d}-{12d}-{32h}"),
    (Kind::SlackWebhook, "https://hooks.|slack.com/services/<T{10C}/B{10C}/{24w}>"),
    (Kind::Stripe, "s|k_live_{24w}"),
    (Kind::Stripe, "r|k_test_{99w}"),
    (Kind::Stripe, "wh|sec_{32w}"),
    (Kind::Twilio, "S|K{32h}"),
    (Kind::Twilio, "the Tw|ilio auth token <{32h}>"),
    (Kind::SendGrid, "S|G.{22w}.{43w}"),
    (Kind::Mailgun, "ke|y-{32h}"),
    (Kind::Mailgun, "{32h}-{8h}-{8h}"),
    (Kind::Mailchimp, "{32h}-|us{2d}"),
    (Kind::Npm, "np|m_{36w}"),
    (Kind::Npm, "//registry.npmjs.org/:_auth|Token=<{36w}>"),
    (Kind::PyPi, "py|pi-AgEIcHlwaS5vcmc{120w}"),
    (Kind::HuggingFace, "h|f_{34w}"),
    (Kind::DigitalOcean, "do|p_v1_{64h}"),
    (
        Kind::AzureStorage,
        "DefaultEndpointsProtocol=https;AccountName=shop;Account|Key=<{86b}==>;EndpointSuffix=core.windows.net",
    ),
    (Kind::AzureStorage, "{86w}=|="),
    (Kind::AzureStorage, "https://shop.blob.core.windows.net/a?sv=2024-11-04&si|g=<{40w}%2B{4w}%3D>"),
    (Kind::AzureClientSecret, "{3w}8|Q~{34w}"),
    (Kind::Jwt, "ey|J{33w}.ey|J{90w}.{43w}"),
    (Kind::PrivateKey, "-----BEGIN EC |PRIVATE KEY-----\\n{64b}\\n{64b}\\n{20b}==\\n-----END EC |PRIVATE KEY-----"),
    (Kind::SshKey, "Private|-Lines: 2\n<{64b}\n{60b}>"),
    (Kind::DatabaseUrl, "postgres|ql://app:<{16w}>@db.example.com:5432/shop"),
    (Kind::DatabaseUrl, "mongodb|+srv://app:<{12s}>@cluster0.example.net/?retryWrites=true"),
    (Kind::DatabaseUrl, "redis|://:<{20w}>@10.0.0.7:6379/0"),
    (Kind::UrlPassword, "https|://ann:<{14w}>@git.example.com/shop.git"),
    (Kind::BasicAuth, "Authorization: |Basic <{28w}==>"),
    (Kind::BearerToken, "Authorization: Bea|rer <{40w}>"),
    (Kind::Discord, "M{25w}.{6w}.{38w}"),
    (Kind::Discord, "https://discord.|com/api/webhooks/{18d}/<{68w}>"),
    (Kind::Telegram, "{9d}7:|AA{33w}"),
    (Kind::Telegram, "https://api.telegram.org/bot<{9d}:|AA{33w}>/getMe"),
    (Kind::Shopify, "shp|at_{32h}"),
    (Kind::Square, "sq0|atp-{22w}"),
    (Kind::Square, "EA|AA{60w}"),
    (Kind::Heroku, "HRK|U-AA{58w}"),
    (Kind::Heroku, "HERO|KU_API_KEY=<{8h}-{4h}-{4h}-{4h}-{12h}>"),
    (Kind::Databricks, "da|pi{32h}"),
    (Kind::Vault, "hv|s.{90w}"),
    (Kind::Vault, "s|.{24w}"),
    (Kind::Doppler, "d|p.pt.{43w}"),
    (Kind::Linear, "lin|_api_{40w}"),
    (Kind::Notion, "nt|n_{46w}"),
    (Kind::Notion, "sec|ret_{43w}"),
    (Kind::Postman, "PM|AK-{24h}-{34h}"),
    (Kind::Grafana, "gl|sa_{32w}_{8h}"),
    (Kind::Grafana, "gl|c_eyJ{60w}=="),
    (Kind::Sentry, "https|://<{32h}>@o{6d}.ingest.sentry.io/{7d}"),
    (Kind::Sentry, "https|://<{32h}:{32h}>@sentry.example.com/7"),
    (Kind::Sentry, "sntr|yu_{64h}"),
    (Kind::Cloudflare, "v1|.0-{24h}-{146h}"),
    (Kind::Cloudflare, "CLOUD|FLARE_API_TOKEN=<{40w}>"),
    (Kind::FlyIo, "fo|1_{43w}"),
    (Kind::FlyIo, "fm|2_{120b}="),
    (Kind::Replicate, "r|8_{37w}"),
    (Kind::AgeKey, "AGE-SEC|RET-KEY-1{58C}"),
    (Kind::Groq, "gs|k_{52w}"),
    (Kind::Xai, "xa|i-{80w}"),
    (Kind::Perplexity, "ppl|x-{48w}"),
    (Kind::Nvidia, "nva|pi-{64w}"),
    (Kind::Pinecone, "pc|sk_{6w}_{63w}"),
    (Kind::LangSmith, "ls|v2_pt_{32h}_{10h}"),
    (Kind::Fireworks, "f|w_{24w}"),
    (Kind::ElevenLabs, "s|k_{48h}"),
    (Kind::Alibaba, "LT|AI5t{20w}"),
    (Kind::Netlify, "nf|p_{36w}"),
    (Kind::Vercel, "vc|p_{56w}"),
    (Kind::Supabase, "sb|p_{40h}"),
    (Kind::PlanetScale, "pscale|_tkn_{43w}"),
    (Kind::RubyGems, "rubyg|ems_{48h}"),
    (Kind::CratesIo, "c|io{32w}"),
    (Kind::Clojars, "CLO|JARS_{60l}"),
    (Kind::Docker, "dckr|_pat_{27w}"),
    (Kind::Buildkite, "bk|ua_{40l}"),
    (Kind::CircleCi, "CCI|PAT_{22w}_{40h}"),
    (Kind::SonarQube, "sq|p_{40h}"),
    (Kind::Sourcegraph, "sg|p_{16h}_{40h}"),
    (Kind::Pulumi, "pu|l-{40h}"),
    (Kind::Terraform, "{14w}.at|lasv1.{67w}"),
    (Kind::Prefect, "pn|u_{36w}"),
    (Kind::NewRelic, "NR|AK-{27C}"),
    (Kind::Dynatrace, "dt0|c01.{24C}.{64C}"),
    (Kind::PostHog, "ph|x_{43w}"),
    (Kind::OnePassword, "op|s_eyJ{250w}="),
    (Kind::OnePassword, "A|3-{6C}-{6C}-{5C}-{5C}-{5C}-{5C}"),
    (Kind::Tailscale, "tske|y-auth-{12w}-{32w}"),
    (Kind::Shippo, "ship|po_live_{40h}"),
    (Kind::EasyPost, "EZ|AK{54w}"),
    (Kind::Resend, "r|e_{8w}_{24w}"),
    (Kind::Facebook, "EA|AM{120w}"),
    (Kind::Airtable, "pa|t{14w}.{64h}"),
    (Kind::Atlassian, "ATA|TT3xFfGF0{180u}={8C}"),
    (Kind::Dropbox, "s|l.u.{150u}k"),
    (Kind::Figma, "fig|d_{40w}"),
    (Kind::Typeform, "tf|p_{44w}_{14w}"),
    (Kind::Contentful, "CF|PAT-{43w}"),
    (Kind::HubSpot, "pa|t-na1-{8h}-{4h}-{4h}-{4h}-{12h}"),
    (Kind::Mapbox, "s|k.eyJ{70w}.{22w}"),
    (Kind::Adafruit, "ai|o_{28w}"),
    (Kind::Brevo, "xkey|sib-{64h}-{16w}"),
    (Kind::Cerebras, "cs|k-{48l}"),
    (Kind::Datadog, "DD_APP|_KEY=<{40h}>"),
    (Kind::Datadog, "the Data|dog API key is <{32h}>"),
    (Kind::E2b, "e2|b_{40h}"),
    (Kind::Firecrawl, "f|c-{32h}"),
    (Kind::GoogleApiKey, "AQ|.Ab8RN6{42u}k"),
    (Kind::Jina, "ji|na_{60w}"),
    (Kind::NewRelic, "{36h}NR|AL"),
    (Kind::Render, "rn|d_{32w}"),
    (Kind::Session, "Set-Coo|kie: session_id=<{32w}>; HttpOnly"),
    (Kind::Tavily, "tv|ly-dev-{32w}"),
    (Kind::TotpSecret, "otp|auth://totp/Shop:ann?secret=<{32t}>&issuer=Shop"),
    (Kind::TotpSecret, "TOTP |secret: <{32t}>"),
    (Kind::WalletKey, "5|K{49x}"),
    (Kind::WalletKey, "L|{51x}"),
    (Kind::WalletKey, "S|{55t}"),
    (Kind::WalletKey, "xpr|v9s21ZrQH143K{98x}"),
    (Kind::Password, "password=<{12s}>"),
    (Kind::Password, r#""pass|word": "<{16s}>""#),
    (Kind::Password, "DB_PASS|WORD_PROD='<{20w}>'"),
    (Kind::Password, "my password for the router at home is <{10s}7aB>"),
    (Kind::Password, "Das Pass|wort lautet <{10s}7aB>"),
    (Kind::Password, "我的密码是<{10s}7aB>"),
    (Kind::RecoveryCode, "recovery |code: <{10l}-{10l}>"),
    (Kind::Credential, "api|_key: <{32h}>"),
    (Kind::Credential, "client|_secret = \"<{24w}>\""),
    (Kind::Credential, "X-API-|Key: <{24w}>"),
    (Kind::Credential, "refresh|Token=<{30w}>"),
];

/// Beginnings of card numbers, how many digits they have, and how these are grouped.
const CARDS: [(&str, usize, &[usize], &str); 10] = [
    ("4", 16, &[], ""),
    ("4", 16, &[4, 4, 4, 4], " "),
    ("4", 16, &[4, 4, 4, 4], "-"),
    ("4", 13, &[], ""),
    ("5", 16, &[4, 4, 4, 4], "\u{a0}"),
    ("2345", 16, &[], ""),
    ("37", 15, &[4, 6, 5], " "),
    ("6011", 16, &[4, 4, 4, 4], " "),
    ("36", 14, &[4, 6, 4], "-"),
    ("3540", 16, &[], ""),
];

fn card((head, length, groups, separator): (&str, usize, &[usize], &str), random: &mut Rng) -> String {
    // The second digit of the fifties says which of them are issued.
    let mut digits: Vec<u32> = head.chars().filter_map(|digit| digit.to_digit(10)).collect();
    if head == "5" {
        digits.push(random.u32(1..=5));
    }
    while digits.len() + 1 < length {
        digits.push(random.u32(0..10));
    }
    let doubled = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
        0 => (digit * 2) / 10 + (digit * 2) % 10,
        _ => *digit,
    });
    digits.push((10 - doubled.sum::<u32>() % 10) % 10);
    let text: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
    grouped(&text, groups, separator)
}

/// Countries, the letters that their accounts begin with, how many digits follow, and what stands between groups of four.
const ACCOUNTS: [(&str, &str, usize, &str); 6] = [
    ("DE", "", 18, ""),
    ("DE", "", 18, " "),
    ("GB", "NWBK", 14, " "),
    ("FR", "", 23, ""),
    ("NL", "ABNA", 10, "-"),
    ("NO", "", 11, " "),
];

fn iban((country, bank, length, separator): (&str, &str, usize, &str), random: &mut Rng) -> String {
    let digits: String = (0..length).map(|_| char::from(b'0' + random.u8(0..10))).collect();
    let number = |letter: char| letter.to_digit(36).unwrap_or(0).to_string();
    let all: String = format!("{bank}{digits}{country}00").chars().map(number).collect();
    let remainder = all.bytes().fold(0_u64, |remainder, digit| (remainder * 10 + u64::from(digit - b'0')) % 97);
    let text = format!("{country}{:02}{bank}{digits}", 98 - remainder);
    let fours = vec![4; text.len().div_ceil(4)];
    grouped(&text, if separator.is_empty() { &[] } else { &fours }, separator)
}

fn grouped(text: &str, groups: &[usize], separator: &str) -> String {
    if groups.is_empty() {
        return text.to_owned();
    }
    let mut rest = text;
    let parts = groups.iter().map(|size| {
        let (part, after) = rest.split_at((*size).min(rest.len()));
        rest = after;
        part
    });
    parts.collect::<Vec<_>>().join(separator)
}

fn private_key(name: &str, lines: usize, random: &mut Rng) -> String {
    let lines: Vec<String> = (0..lines).map(|_| drawn("{64b}", random)).collect();
    let mark = |side: &str| format!("-----{side} {name}{}-----", ["PRIVATE", "KEY"].join(" "));
    format!("{}\n{}\n{}=\n{}", mark("BEGIN"), lines.join("\n"), drawn("{43b}", random), mark("END"))
}
