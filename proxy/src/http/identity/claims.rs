//! What a token's claims say: whether it holds now, and whose it is.

use serde_json::{Map, Value};

use super::Name;
use crate::config::{IdentityConfig, IdentityFrom};

/// Which tokens count, and what of them makes an identity.
#[derive(Debug)]
pub(super) struct ClaimRules {
    issuer: Option<String>,
    audience: Option<String>,
    /// The claims that make the identity, sorted.
    names: Vec<String>,
    /// How far clocks may differ, in seconds.
    leeway: f64,
}

impl ClaimRules {
    /// As the configuration has it.
    pub(super) fn new(config: &IdentityConfig) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            names: config.claims.clone(),
            leeway: config.leeway.as_secs_f64(),
        }
    }

    /// Whose a token with these claims is; `None` if it does not count at `now`, in seconds since 1970, or does not say.
    pub(super) fn name(&self, claims: &Map<String, Value>, now: i64) -> Option<Name> {
        let counts = self.is_in_time(claims, now as f64) && self.is_for_us(claims);
        let fields = self.fields(claims).filter(|_| counts)?;
        Some(Name::new(IdentityFrom::Jwt, fields))
    }

    /// The claims that make the identity, each with its value; `None` if one is missing.
    pub(super) fn fields(&self, claims: &Map<String, Value>) -> Option<Vec<Vec<u8>>> {
        let mut fields = Vec::with_capacity(self.names.len() * 2);
        for name in &self.names {
            fields.push(name.clone().into_bytes());
            fields.push(written(claims.get(name)?)?);
        }
        Some(fields)
    }

    fn is_in_time(&self, claims: &Map<String, Value>, now: f64) -> bool {
        let holds = |claim: &str, holds: &dyn Fn(f64) -> bool| match claims.get(claim) {
            None => true,
            Some(time) => time.as_f64().is_some_and(holds),
        };
        holds("exp", &|end| now < end + self.leeway) && holds("nbf", &|begin| begin <= now + self.leeway)
    }

    fn is_for_us(&self, claims: &Map<String, Value>) -> bool {
        let says = |claim: &str, wanted: &str| match claims.get(claim) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(texts)) if claim == "aud" => texts.iter().any(|text| text.as_str() == Some(wanted)),
            _ => false,
        };
        self.issuer.as_deref().is_none_or(|issuer| says("iss", issuer))
            && self.audience.as_deref().is_none_or(|audience| says("aud", audience))
    }
}

/// A value such that no two are written alike; `None` for one that names nobody.
fn written(claim: &Value) -> Option<Vec<u8>> {
    let written = match claim {
        Value::String(text) if !text.is_empty() => format!("text {text}"),
        Value::Number(number) if number.is_i64() || number.is_u64() => format!("number {number}"),
        Value::Bool(value) => format!("truth {value}"),
        _ => return None,
    };
    Some(written.into_bytes())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn rules(change: impl FnOnce(&mut IdentityConfig)) -> ClaimRules {
        let mut config = Config::defaults().identity;
        change(&mut config);
        ClaimRules::new(&config)
    }

    fn name(rules: &ClaimRules, claims: &Value) -> Option<Name> {
        rules.name(claims.as_object().unwrap(), NOW)
    }

    const NOW: i64 = 1_780_000_000;

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end_with_some_leeway() {
        let rules = rules(|_| {});
        let counts = |claim: &str, value: Value| {
            let mut claims = json!({"iss": "a", "sub": "b"});
            claims[claim] = value;
            name(&rules, &claims).is_some()
        };
        for (claim, value, expected) in [
            ("exp", json!(NOW + 1), true),
            ("exp", json!(NOW - 59), true),
            ("exp", json!(NOW - 60), false),
            ("exp", json!(1_780_000_000.5), true),
            ("exp", json!(0), false),
            ("exp", json!("never"), false),
            ("exp", json!(null), false),
            ("nbf", json!(NOW + 60), true),
            ("nbf", json!(NOW + 61), false),
            ("nbf", json!([]), false),
            ("iat", json!(NOW + 1000), true),
        ] {
            assert_eq!(counts(claim, value.clone()), expected, "{claim} = {value}");
        }
    }

    #[test]
    fn issuer_and_audience_must_be_those_that_are_configured() {
        let rules = rules(|config| {
            config.issuer = Some("https://login.example".to_owned());
            config.audience = Some("mainpoint".to_owned());
        });
        let counts = |iss: Value, aud: Value| name(&rules, &json!({"iss": iss, "aud": aud, "sub": "b"})).is_some();
        let ours = json!("https://login.example");
        assert!(counts(ours.clone(), json!("mainpoint")));
        assert!(counts(ours.clone(), json!(["other", "mainpoint"])));
        assert!(!counts(ours.clone(), json!("other")));
        assert!(!counts(ours.clone(), json!([])));
        assert!(!counts(ours.clone(), json!(null)));
        assert!(!counts(json!("https://login.example/"), json!("mainpoint")));
        assert!(!counts(json!([ours]), json!("mainpoint")));
    }

    #[test]
    fn a_claim_that_is_missing_or_names_nobody_makes_no_identity() {
        let rules = rules(|_| {});
        for sub in [json!(null), json!(""), json!([]), json!(["b"]), json!({"id": 1}), json!(1.5)] {
            assert_eq!(name(&rules, &json!({"iss": "a", "sub": sub})), None, "{sub}");
        }
        assert_eq!(name(&rules, &json!({"sub": "b"})), None);
    }

    #[test]
    fn a_refreshed_token_names_the_same_and_any_other_value_somebody_else() {
        let rules = rules(|_| {});
        let of = |sub: Value| name(&rules, &json!({"iss": "a", "sub": sub})).unwrap();
        let refreshed = json!({"sub": "7", "iat": 1, "jti": "x", "iss": "a", "exp": NOW + 9, "scope": "more"});
        assert_eq!(name(&rules, &refreshed).unwrap(), of(json!("7")));
        let names = [of(json!("7")), of(json!(7)), of(json!("8")), of(json!(true)), of(json!("true")), of(json!("7 "))];
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{index}");
        }
    }

    proptest! {
        #[test]
        fn two_tokens_name_the_same_if_and_only_if_their_claims_say_the_same(
            one in ("[ab]{0,2}", "[ab]{0,2}"), other in ("[ab]{0,2}", "[ab]{0,2}"),
        ) {
            let rules = rules(|_| {});
            let of = |(iss, sub): &(String, String)| name(&rules, &json!({"iss": iss, "sub": sub}));
            let (first, second) = (of(&one), of(&other));
            prop_assert_eq!(first.is_some(), !one.0.is_empty() && !one.1.is_empty());
            prop_assert_eq!(first.is_some() && first == second, first.is_some() && one == other);
        }
    }
}
