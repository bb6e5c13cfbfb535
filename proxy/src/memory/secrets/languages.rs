//! Passwords as they are told in languages whose verbs are words of others, such as `on` and `je`: a verb counts behind a
//! name of the same languages alone.

use super::rule::Anchor::Part;
use super::rule::Check::{Said, Told};
use super::rule::Secret::Value;
use super::rule::{Rule, behind};
use crate::config::SecretKind as Kind;

/// What passwords are called in these languages, with the endings that names have there.
macro_rules! names {
    () => {
        concat!(
            "(?:(?i:heslo|geslo|lozink|zapork|jelsz(?u-i:ó|av)|parol(?u-i:ă|a)|kata (?:sandi|laluan)|salasana|passord",
            "|l(?u-i:ö)senord|adgangskode|kodeord|m(?u-i:ậ)t kh(?u-i:ẩ)u|contrasenya|palavra-passe)",
            "|(?u:[şŞ]ifre|[пП]арол[аь]|[κΚ]ωδικός(?: πρόσβασης)?|كلمة (?:المرور|السر|مرور|سر)|رمز عبور|پاس ورڈ",
            "|סיסמ[הא]|पासवर्ड|รหัสผ่าน))(?u:[a-zа-яıåäöøæ]{0,4})"
        )
    };
}

const NAMES: &[&str] = &[
    "heslo",
    "geslo",
    "lozink",
    "zapork",
    "jelszó",
    "jelszav",
    "parolă",
    "parola",
    "kata sandi",
    "kata laluan",
    "salasana",
    "passord",
    "lösenord",
    "adgangskode",
    "kodeord",
    "mật khẩu",
    "contrasenya",
    "palavra-passe",
    "şifre",
    "Şifre",
    "парола",
    "Парола",
    "пароль",
    "Пароль",
    "κωδικός",
    "Κωδικός",
    "كلمة المرور",
    "كلمة السر",
    "كلمة مرور",
    "كلمة سر",
    "رمز عبور",
    "پاس ورڈ",
    "סיסמה",
    "סיסמא",
    "पासवर्ड",
    "รหัสผ่าน",
];

/// A verb of these languages or a sign between a name and what it names.
macro_rules! tells {
    () => {
        concat!(
            r#"\\?["'`*]{0,3}"#,
            r"(?:\s{1,2}(?:(?i:mea|saya|anda|untuk|till|til|for|pro|pentru|la|na|do|ke?)",
            r"|(?u:för|của|cho|için|для|μου|για|שלי|الخاصة))(?:\s[^\n.!?:=]{1,40}?)?)?",
            r"(?:(?u:[ \t\u{a0}\u{202f}]{0,2})(?::=|={1,2}|:|(?u:：|＝))",
            r"|\s{1,2}(?:(?i:je|on|er|este|es|adalah|ialah)|(?u:är|là|е|це|είναι|היא|הוא|هي|هو|है))(?::|\s)",
            r"|\s?(?u:คือ)\s?:?)",
            r"[ \t\n]{0,3}(?u:[“”„«»‘‚][ \u{a0}\u{202f}]?|[*_(]{1,2})?"
        )
    };
}

/// The rules; where two find the same bytes the first one names the kind.
pub(super) const LANGUAGES: &[Rule] = &[
    behind(Kind::Password, Part(NAMES), concat!(names!(), tells!()), Value).checked(Told),
    // A verb may stand at the end, or nowhere.
    behind(Kind::Password, Part(NAMES), concat!(names!(), r"\s{1,2}"), Value).checked(Said),
];
