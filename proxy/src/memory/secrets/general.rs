//! The secrets of no service in particular: tokens, passwords in URLs, headers, and what is called a password or a key.

use super::rule::Anchor::{Part, Start, Word};
use super::rule::Check::{Assigned, InUrl, Random, Said};
use super::rule::Secret::{Next, Value};
use super::rule::{Rule, at, behind};
use crate::config::SecretKind as Kind;

/// What may be between a name and its value where programs and tables write them.
macro_rules! equals {
    () => {
        concat!(
            r#"(?:_[A-Z0-9]{1,16}){0,3}\\?["'`*\])]{0,3}[ \t]{0,8}"#,
            r"(?::\s?&?(?:'static )?(?i:str|string)\s?)?",
            r"(?::=|=>|->|={1,3}|:|>|\||(?u:：|＝|→))[ \t]{0,8}[*_]{0,2}"
        )
    };
}

/// What may be between them in a sentence: "for the router is", "ist", or nothing.
macro_rules! says {
    () => {
        concat!(
            r#"["'`*]{0,2}(?:(?u:是|为|為|は|는|은)"#,
            r"|\s{1,2}(?:(?u:for|of|to|on|at|vom|von|für|de|del|du|pour|para)\s[^\n.!?:=]{1,40}?)?",
            r"(?:\s{0,2}:\s{0,2}|\s?(?:(?i:is|was|ist|war|lautet|es|est)|(?u:è|é|это))(?:\s{0,2}:\s{0,2}|\s{1,2}))",
            r"|\s)\s{0,2}[*_(]{0,2}"
        )
    };
}

macro_rules! password_names {
    () => {
        "(?:(?i:passw(?:or)?d|passwort|passphrase|passcode|pwd|kennwort|contrase(?u-i:ñ)a|senha|mot de passe|(?:db|pg|user)_?pass)|\
         (?u:[пП]ароль|密码|密碼|パスワード|비밀번호))"
    };
}

const PASSWORD_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "passcode",
    "pwd",
    "kennwort",
    "contraseña",
    "senha",
    "mot de passe",
    "db_pass",
    "dbpass",
    "pg_pass",
    "pgpass",
    "user_pass",
    "userpass",
    "пароль",
    "Пароль",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
];

macro_rules! credential_names {
    () => {
        "(?i:secret(?:[ _-]?key)?|token|credentials?|pre-?shared[ _-]?key\
         |(?:admin|api|access|auth|account|private|signing|encryption|master|service|subscription)[ _-]?key)"
    };
}

const CREDENTIAL_NAMES: &[&str] = &[
    "secret",
    "token",
    "credential",
    "preshared",
    "pre-shared",
    "adminkey",
    "admin key",
    "admin_key",
    "admin-key",
    "apikey",
    "api key",
    "api_key",
    "api-key",
    "accesskey",
    "access key",
    "access_key",
    "access-key",
    "authkey",
    "auth key",
    "auth_key",
    "auth-key",
    "accountkey",
    "account key",
    "account_key",
    "account-key",
    "privatekey",
    "private key",
    "private_key",
    "private-key",
    "signingkey",
    "signing key",
    "signing_key",
    "signing-key",
    "encryptionkey",
    "encryption key",
    "encryption_key",
    "encryption-key",
    "masterkey",
    "master key",
    "master_key",
    "master-key",
    "servicekey",
    "service key",
    "service_key",
    "service-key",
    "subscriptionkey",
    "subscription key",
    "subscription_key",
    "subscription-key",
];

const DATABASES: &[&str] = &[
    "postgres",
    "mysql",
    "mariadb",
    "mongodb",
    "redis",
    "valkey",
    "amqp",
    "mssql",
    "sqlserver",
    "clickhouse",
    "cockroach",
    "couchdb",
    "oracle",
    "snowflake",
    "cassandra",
    "neo4j",
    "bolt",
    "nats",
    "kafka",
    "ldap",
];

/// The rules; where two find the same bytes the first one names the kind.
pub(super) const GENERAL: &[Rule] = &[
    at(
        Kind::Jwt,
        Start(&["eyJ"]),
        r"eyJ[A-Za-z0-9_-]{8,}(?:(?:\.[A-Za-z0-9_-]{4,}){2,4}|\.eyJ[A-Za-z0-9_-]{8,}\.?|(?:\.[A-Za-z0-9_-]*){4})",
    ),
    behind(
        Kind::DatabaseUrl,
        Part(DATABASES),
        concat!(
            r"(?i:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|valkeys?|amqps?|mssql|sqlserver|clickhouse|cockroach(?:db)?|couchdb",
            r"|oracle|snowflake|cassandra|neo4j|bolt|nats|kafka|ldaps?)(?:\+[a-z0-9]{1,16}){0,2}",
            r#"://[^\s/?#@:"'<>]*:"#
        ),
        Next(r#"[^\s/"'<>`]+@"#),
    )
    .checked(InUrl),
    behind(Kind::UrlPassword, Part(&["://"]), r#"://[^\s/?#@:"'<>]*:"#, Next(r#"[^\s/?#"'<>`]+@"#)).checked(InUrl),
    behind(
        Kind::BasicAuth,
        Part(&["authorization"]),
        r#"(?i:authorization)\\?["']?\s{0,2}[:=,]\s{0,2}\\?["']?(?i:basic|token|apikey|api-key|digest|negotiate)\s"#,
        Next("[A-Za-z0-9+/_.-]{12,}={0,2}"),
    )
    .checked(Random),
    behind(Kind::BearerToken, Word(&["bearer"]), r"(?i:bearer)[ \t]{1,4}", Next("[A-Za-z0-9._~+/-]{16,}={0,2}"))
        .checked(Random),
    behind(
        Kind::Session,
        Part(&["cookie:"]),
        concat!(
            r"(?i:cookie): ?(?:[A-Za-z0-9_.-]{1,64}=[^;\s]{0,256}; ?){0,6}?",
            "[A-Za-z0-9_.-]{0,32}(?i:sess|sid|auth|token|jwt)[A-Za-z0-9_.-]{0,32}=",
        ),
        Next(r#"[A-Za-z0-9%+/_.~:-]{16,}={0,2}"#),
    )
    .checked(Random),
    behind(Kind::Password, Part(PASSWORD_NAMES), concat!(password_names!(), equals!()), Value).checked(Assigned),
    behind(Kind::Password, Part(PASSWORD_NAMES), concat!(password_names!(), says!()), Value).checked(Said),
    behind(Kind::Credential, Part(CREDENTIAL_NAMES), concat!(credential_names!(), equals!()), Value).checked(Assigned),
    behind(Kind::Credential, Part(CREDENTIAL_NAMES), concat!(credential_names!(), says!()), Value).checked(Said),
];
