//! The kinds of secrets that can be told apart, by the names that configurations, metrics and masks have for them.

/// The kinds, each with its name. One place, so that no kind can lack one.
macro_rules! kinds {
    ($($kind:ident = $label:literal,)*) => {
        /// A kind of secret.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum SecretKind {
            $(#[doc = concat!("`", $label, "`")] $kind,)*
        }

        impl SecretKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$kind => $label,)*
                }
            }
        }
    };
}

kinds! {
    Adafruit = "adafruit",
    AgeKey = "age-key",
    Airtable = "airtable",
    Alibaba = "alibaba",
    Anthropic = "anthropic",
    Atlassian = "atlassian",
    AwsAccessKey = "aws-access-key",
    AwsSecretKey = "aws-secret-key",
    AzureClientSecret = "azure-client-secret",
    AzureStorage = "azure-storage",
    BasicAuth = "basic-auth",
    BearerToken = "bearer-token",
    Brevo = "brevo",
    Buildkite = "buildkite",
    Cerebras = "cerebras",
    CircleCi = "circleci",
    Clojars = "clojars",
    Cloudflare = "cloudflare",
    Contentful = "contentful",
    CratesIo = "crates-io",
    Credential = "credential",
    DatabaseUrl = "database-url",
    Databricks = "databricks",
    Datadog = "datadog",
    DigitalOcean = "digitalocean",
    Discord = "discord",
    Docker = "docker",
    Doppler = "doppler",
    Dropbox = "dropbox",
    Dynatrace = "dynatrace",
    E2b = "e2b",
    EasyPost = "easypost",
    ElevenLabs = "elevenlabs",
    Facebook = "facebook",
    Figma = "figma",
    Firecrawl = "firecrawl",
    Fireworks = "fireworks",
    FlyIo = "fly-io",
    GitHub = "github",
    GitLab = "gitlab",
    GoogleApiKey = "google-api-key",
    GoogleOauth = "google-oauth",
    Grafana = "grafana",
    Groq = "groq",
    Heroku = "heroku",
    HubSpot = "hubspot",
    HuggingFace = "hugging-face",
    Iban = "iban",
    Jina = "jina",
    Jwt = "jwt",
    LangSmith = "langsmith",
    Linear = "linear",
    Mailchimp = "mailchimp",
    Mailgun = "mailgun",
    Mapbox = "mapbox",
    Netlify = "netlify",
    NewRelic = "new-relic",
    Notion = "notion",
    Npm = "npm",
    Nvidia = "nvidia",
    OnePassword = "1password",
    OpenAi = "openai",
    OpenRouter = "openrouter",
    Password = "password",
    PaymentCard = "payment-card",
    Perplexity = "perplexity",
    Pinecone = "pinecone",
    PlanetScale = "planetscale",
    PostHog = "posthog",
    Postman = "postman",
    Prefect = "prefect",
    PrivateKey = "private-key",
    Pulumi = "pulumi",
    PyPi = "pypi",
    RecoveryCode = "recovery-code",
    Render = "render",
    Replicate = "replicate",
    Resend = "resend",
    RubyGems = "rubygems",
    SendGrid = "sendgrid",
    Session = "session",
    Sentry = "sentry",
    Shippo = "shippo",
    Shopify = "shopify",
    Slack = "slack",
    SlackWebhook = "slack-webhook",
    SonarQube = "sonarqube",
    Sourcegraph = "sourcegraph",
    Square = "square",
    SshKey = "ssh-key",
    Stripe = "stripe",
    Supabase = "supabase",
    Tailscale = "tailscale",
    Tavily = "tavily",
    Telegram = "telegram",
    Terraform = "terraform",
    TotpSecret = "totp-secret",
    Twilio = "twilio",
    Typeform = "typeform",
    UrlPassword = "url-password",
    Vault = "vault",
    Vercel = "vercel",
    WalletKey = "wallet-key",
    Xai = "xai",
}

impl SecretKind {
    /// Reads a kind as it is written in the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.label() == text)
    }

    /// The names of all kinds, for messages.
    pub(crate) fn allowed() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.label()).collect();
        names.join(", ")
    }
}
