//! Where people and programs write what no shape tells: the rules for options, environments, files of credentials,
//! headers and sentences, for passwords that may be words and for codes.
//!
//! Placeholders, terms and what belongs to a sentence are left by the checks, so that each rule says the place alone.
//! No pattern goes further than so many bytes before the secret.

use super::rule::Anchor::{Before, Part, Start, Word};
use super::rule::Check::{Assigned, Codes, Encoded, Paired, Seed, Told, Typed, Words};
use super::rule::Rule;
use super::rule::Secret::{Next, Value};
use super::rule::behind;
use crate::config::SecretKind as Kind;

/// Up to the first word of a passphrase, from its name's end on.
macro_rules! phrases {
    () => {
        r#"["'*]{0,3}(?:\s?[:=]|\s(?:is|ist|lautet|est|es))\s{1,2}["'`]?"#
    };
}

/// Up to the first word of the phrase that opens a wallet, which may be numbered.
macro_rules! seeds {
    () => {
        concat!(
            r"(?i:(?:seed|recovery|secret|backup)[ _-](?:phrase|words)|mnemonic(?: (?:phrase|words|seed|code))?)",
            r#"["'*]{0,3}(?:\s?\([^()\n]{1,40}\))?"#,
            r#"(?:\s(?i:for|of|to|f(?u-i:ü)r|von|pour|de|para)\s[^\n.!?:=]{1,40}?)?"#,
            r"(?:\s{0,2}[:=]|\s(?i:is|was|are|ist|lautet|est|es)(?:\s?:|\s))[*]{0,2}\s{0,4}(?:```[a-z]{0,8}\s{1,2})?",
            r#"(?:[-*]{1,2} ?)?(?:[0-9]{1,2}[.):]{0,2}[*]{0,2}[ \t]{0,2})?["'`*(\[]{0,3}"#
        )
    };
}

/// A word of such a phrase.
macro_rules! seed {
    () => {
        r"[A-Za-z]{3,9}\b"
    };
}

/// What separates such words: signs, a line's end and the next word's number.
macro_rules! between_seeds {
    () => {
        concat!(
            r#"["'*]{0,3}(?:,|[,;|]?[ \t]{0,4}(?:[ \t-]|\r?\n|(?:\\r)?\\n)[ \t]{0,8})"#,
            r#"(?:[-*]{1,2} ?)?(?:[0-9]{1,2}[.):]{0,2}[*]{0,2}[ \t]{0,2})?["'*]{0,3}"#
        )
    };
}

/// An option whose name ends so, up to its name's end.
macro_rules! option {
    ($names:literal) => {
        concat!("--(?:[A-Za-z0-9]{1,16}[-_.]){0,4}(?i:", $names, ")")
    };
}

macro_rules! password_option {
    () => {
        option!("password|passwd|passwort|passphrase|pass|pwd|pw")
    };
}

/// What passwords are called, in the languages that have a word of their own for them.
macro_rules! names {
    () => {
        "(?:(?i:passw(?:or)?d|passwort|passphrase|passcode|pwd|kennwort|contrase(?u-i:ñ)a|contrasena|senha|mot de passe\
         |wachtwoord|parola|has(?u-i:ł)o)|(?u:[пП]ароль|密码|密碼|口令|パスワード|비밀번호))"
    };
}

const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "passcode",
    "pwd",
    "kennwort",
    "contraseña",
    "contrasena",
    "senha",
    "mot de passe",
    "wachtwoord",
    "parola",
    "hasło",
    "пароль",
    "Пароль",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "비밀번호",
];

/// A verb or a sign between a name and what it names, and the quote behind it that ASCII has not.
macro_rules! tells {
    () => {
        concat!(
            r#"\\?["'`*]{0,3}"#,
            r"(?:\s{1,2}(?i:for|to|of|on|at|in|vom|von|zum|zur|de|del|du|pour|para|f(?u-i:ü)r)\s[^\n.!?:=]{1,40}?)?",
            r"(?:(?u:[ \t\u{a0}\u{202f}]{0,2})(?::=|={1,2}|:|(?u:：|＝))",
            r"|\s{1,2}(?:(?i:is|was|ist|war|lautet|es|era|est)|(?u:è|é|heißt|это))",
            r"(?:\s(?i:now|still|just|jetzt|nun|maintenant|ahora))?(?::|\s)",
            r"|\s?(?u:是|为|為|は|는|은)(?u:[:：])?)",
            r"[ \t\n]{0,3}(?u:[“”„«»‘‚「『][ \u{a0}\u{202f}]?|[*_(]{1,2})?"
        )
    };
}

/// The names of codes, in one word or two.
const CODE_NAMES: &[&str] = &[
    "recovery code",
    "recovery key",
    "backup code",
    "scratch code",
    "emergency code",
    "one-time code",
    "verification code",
    "2fa code",
    "wiederherstellungscode",
    "wiederherstellungsschlüssel",
    "einmalcode",
    "backupcode",
    "code de récupération",
    "codes de récupération",
    "code de secours",
    "codes de secours",
    "código de recuperación",
    "códigos de recuperación",
    "código de respaldo",
    "códigos de respaldo",
    "恢复代码",
    "恢复码",
    "备用码",
    "验证码",
    "リカバリーコード",
    "バックアップコード",
];

macro_rules! code_names {
    () => {
        concat!(
            "(?:(?i:(?:recovery|backup|scratch|emergency|one-time|verification|2fa) (?:code|key)s?",
            "|wiederherstellungs(?:code|schl(?u-i:ü)ssel)s?|einmalcodes?|backupcodes?",
            "|codes? de (?:r(?u-i:é)cup(?u-i:é)ration|secours)|c(?u-i:ó)digos? de (?:recuperaci(?u-i:ó)n|respaldo))",
            "|(?u:恢复代码|恢复码|备用码|验证码|リカバリーコード|バックアップコード))"
        )
    };
}

/// Up to the first code of a list.
macro_rules! lists {
    () => {
        concat!(
            r#"["'*]{0,3}(?:\s(?i:for|of|f(?u-i:ü)r|von|pour|de|para)\s[^\n.!?:=]{1,40}?)?"#,
            r"(?:(?u:[ \u{a0}]{0,2})(?::|=|(?u:：))|\s(?i:is|are|ist|sind|lautet|lauten|est|sont|es|son)\s|(?u:是|为|は))",
            r#"[*]{0,2}\s{0,4}(?:```[a-z]{0,8}\s{1,2})?(?:[-*]\s{1,2}|[0-9]{1,2}[.)]\s{1,2})?["'`(\[]{0,2}"#
        )
    };
}

/// A code, and more of them with what separates the lines of a list.
macro_rules! code {
    () => {
        "(?:[A-Za-z0-9]{3,12}(?:-[A-Za-z0-9]{3,12}){1,7}|[0-9]{4} [0-9]{4}|[0-9]{3} [0-9]{3}|[A-Za-z0-9]{6,32})"
    };
}

/// The rules; where two find the same bytes the first one names the kind.
pub(super) const PLACES: &[Rule] = &[
    // Options of any command.
    behind(Kind::Password, Part(&["--"]), concat!(password_option!(), "="), Value).checked(Typed),
    behind(Kind::Password, Part(&["--"]), concat!(password_option!(), r"[ \t]{1,4}"), Value).checked(Told),
    behind(
        Kind::Credential,
        Part(&["--"]),
        concat!(
            option!(
                "token|credential|(?:api|access|secret|auth|private|account)[-_]?key\
                 |(?:client|app|shared|webhook)[-_]?secret"
            ),
            r"(?:=|[ \t]{1,4})"
        ),
        Value,
    )
    .checked(Assigned),
    // Environments and connection strings.
    behind(
        Kind::Password,
        Part(&["ansible_"]),
        "ansible_(?:ssh_|become_|sudo_|su_)?(?:pass|password)[=:] {0,2}",
        Value,
    )
    .checked(Typed),
    behind(
        Kind::Password,
        Part(&["password=", "passwd=", "passphrase=", "_pass=", "_pwd=", "sshpass=", "rediscli_auth="]),
        "(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|SSHPASS|REDISCLI_AUTH)=",
        Value,
    )
    .checked(Typed),
    behind(Kind::Password, Part(&[";password=", ";pwd=", "; password=", "; pwd="]), "; ?(?i:password|pwd)=", Value)
        .checked(Typed),
    behind(
        Kind::Password,
        Word(&["host=", "hostaddr=", "port=", "dbname=", "user="]),
        r"(?:(?:host|hostaddr|port|dbname|user|sslmode)=[^\s'\x22]{1,80} {1,2}){1,6}password=",
        Value,
    )
    .checked(Typed),
    behind(Kind::Password, Start(&["-D"]), r"-D[A-Za-z0-9_.]{0,60}(?:[pP]assword|[pP]assphrase)=", Value)
        .checked(Typed),
    behind(
        Kind::Password,
        Part(&["--from-literal"]),
        r"--from-literal[= ]['\x22]?[A-Za-z0-9_.-]{0,40}(?i:password|passwd|pass|secret|token|key)=",
        Value,
    )
    .checked(Typed),
    behind(
        Kind::Password,
        Part(&["--set"]),
        concat!(
            r"--set(?:-string)?[= ]['\x22]?(?:[^\s,'\x22]{1,80},){0,12}",
            r"[A-Za-z0-9_.\[\]-]{0,80}(?i:password|passwd|passphrase)="
        ),
        Value,
    )
    .checked(Typed),
    // Files of credentials.
    behind(
        Kind::Password,
        Word(&["machine"]),
        concat!(
            r"machine\s{1,8}\S{1,255}\s{1,8}login\s{1,8}\S{1,255}\s{1,8}",
            r"(?:account\s{1,8}\S{1,255}\s{1,8})?password\s{1,8}"
        ),
        Value,
    )
    .checked(Typed),
    behind(Kind::Password, Word(&["default login"]), r"default login\s{1,8}\S{1,255}\s{1,8}password\s{1,8}", Value)
        .checked(Typed),
    behind(
        Kind::Password,
        Part(&[":5432:", ":5433:", ":6432:"]),
        r"(?::5432|:5433|:6432):[^\s:]{1,64}:[^\s:]{1,64}:",
        Value,
    )
    .checked(Typed),
    behind(
        Kind::Password,
        Word(&["cifs", "smb3", "smbfs"]),
        r"(?:cifs|smb3|smbfs)[ \t]{1,8}(?:[^\s,]{1,64},){0,12}pass(?:word|wd)?=",
        Next(r#"[^\s,"'`]{4,128}"#),
    )
    .checked(Typed),
    behind(Kind::Password, Before(1, &["*:*:*:"]), r#"[\s"'`]\*:\*:\*:[^\s:]{1,64}:"#, Value).checked(Told),
    // Headers.
    behind(Kind::BasicAuth, Start(&["basic"]), r"(?i:basic)[ \t]{1,4}", Next("[A-Za-z0-9+/]{8,512}={0,2}"))
        .checked(Encoded),
    // Sentences, and names that are not only those of passwords.
    behind(Kind::Password, Part(NAMES), concat!(names!(), tells!()), Value).checked(Told),
    behind(
        Kind::Password,
        Start(&["pass", "pw", "psw", "psk", "mdp", "clave"]),
        concat!(
            r#"(?:[pP]ass|[pP]w|PW|psw|psk|PSK|mdp|MDP|[cC]lave)\\?["'`*]{0,3}"#,
            r"(?:\s{0,2}(?::|=|(?u:：))[ \t]{0,4}[*_]{0,2}|\s(?:is|ist|est|es)\s)"
        ),
        Value,
    )
    .checked(Told),
    behind(
        Kind::Password,
        Start(&[
            "user",
            "username",
            "login",
            "account",
            "benutzer",
            "benutzername",
            "utilisateur",
            "identifiant",
            "usuario",
            "用户名",
            "账号",
            "帐号",
        ]),
        concat!(
            r"(?:(?i:user(?:[ _-]?(?:name|id))?|login|account",
            "|benutzer(?:name)?|utilisateur|identifiant|usuario)",
            "|(?u:用户名|账号|帐号))",
            r#"(?:\s{0,2}[:=]\s{0,2}|(?u:：)|\s{1,2}(?i:is |ist |es |est )?)["'`]?[^\s,;"'`]{1,64}["'`]?"#,
            r"(?:\s{0,2}[,;/|&+]\s{0,2}|(?u:，|；)|\s{1,2})",
            r"(?:(?i:and|und|et|y|with|mit|avec|con|the|das|le|la)\s{1,2}){0,2}",
            r"(?:(?i:password|passwd|passwort|pass|pwd|pw|kennwort|mdp|mot de passe|clave",
            "|contrase(?u-i:ñ)a)|(?u:密码))",
            r"(?:\s{0,2}[:=]\s{0,2}|(?u:：)|\s{1,2}(?:(?i:is|ist|es|est)\s{1,2})?)"
        ),
        Value,
    )
    .checked(Told),
    behind(
        Kind::Password,
        Start(&[
            "user",
            "username",
            "login",
            "account",
            "email",
            "e-mail",
            "id",
            "benutzer",
            "benutzername",
            "utilisateur",
            "identifiant",
            "usuario",
        ]),
        concat!(
            r"(?i:user(?:[ _-]?(?:name|id))?|login|account|e-?mail|id|benutzer(?:name)?|utilisateur|identifiant|usuario)",
            r"(?:[ \t]?[/|&+][ \t]?|\s(?i:and|und|et|y)\s)",
            "(?i:password|passwd|passwort|pass|pwd|pw|kennwort|mdp|mot de passe|clave|contrase(?u-i:ñ)a)",
            r"[*]{0,2}(?:\s{0,2}[:=]|(?u:：)|\s(?i:is|are|ist|sind|est|sont|es|son)\s)\s{0,2}[*]{0,2}",
            r#"["'`]?[^\s/|:"'`]{1,64}["'`]?(?:[ \t]?[/|][ \t]?|:)"#
        ),
        Value,
    )
    .checked(Paired),
    behind(
        Kind::Password,
        Start(&[
            "login",
            "log in",
            "sign in",
            "basic auth",
            "creds",
            "credentials",
            "zugangsdaten",
            "anmeldedaten",
            "identifiants",
            "credenciales",
        ]),
        concat!(
            "(?i:login|log in|sign in|basic auth|creds|credentials",
            "|zugangsdaten|anmeldedaten|identifiants|credenciales)",
            "(?:",
            r"(?:(?:\s(?i:data|is|are|sind|sont|son))?\s{0,2}[:=]\s{0,2}",
            r"|\s(?:as|is|are|als|sind|sont|son)\s{1,2})",
            r#"["'`]?[^\s/:"'`]{1,64}["'`]?(?:[ \t]?[/|][ \t]?|:)"#,
            // Two words with a slash may be two ways to log in.
            r#"|\s(?:with|mit|avec|con)\s{1,2}["'`]?(?:[^\s/:"'`]{1,64}["'`]?:"#,
            r#"|(?:[^\s/:@"'`]{1,64}@[^\s/:"'`]{1,64}"#,
            r#"|(?i:admin|administrator|root|user|guest|test|demo|sa|pi|postgres))"#,
            r#"["'`]?[ \t]?[/|][ \t]?))"#
        ),
        Value,
    )
    .checked(Paired),
    // Codes and phrases that open an account by themselves.
    behind(
        Kind::RecoveryCode,
        Part(CODE_NAMES),
        concat!(code_names!(), lists!()),
        Next(concat!(code!(), r"(?:(?:[ \t\r\n,;/|]|\\n|[-*] |[0-9]{1,2}[.)] ?){1,8}", code!(), ")*")),
    )
    .checked(Codes),
    behind(
        Kind::Password,
        Part(&["passphrase"]),
        concat!("(?i:passphrase)", phrases!()),
        Next("[a-z]{3,9}(?:[ -][a-z]{3,9}){3,23}"),
    )
    .checked(Words),
    behind(
        Kind::RecoveryCode,
        Part(&[
            "seed phrase",
            "seed_phrase",
            "seed-phrase",
            "seed words",
            "recovery phrase",
            "recovery_phrase",
            "recovery-phrase",
            "recovery words",
            "secret phrase",
            "backup phrase",
            "mnemonic",
        ]),
        seeds!(),
        Next(concat!(seed!(), "(?:", between_seeds!(), seed!(), "){11,24}")),
    )
    .checked(Seed),
];
