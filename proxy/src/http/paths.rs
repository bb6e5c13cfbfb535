//! Which part of a request's path belongs to the upstream, and what it means however it is spelled.
//!
//! A path that could climb out of the upstream's base is nobody's. Slashes that are repeated, a slash at the end and
//! characters that are percent-encoded without need change no meaning; what is forwarded keeps the caller's spelling.

use std::borrow::Cow;

/// The part of `path` after `base` as it was written, beginning with a slash or empty; `None` when `path` is not under `base`.
pub(crate) fn under<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = match path.strip_prefix(base) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => after(path, base)?,
    };
    (!climbs(rest)).then_some(rest)
}

/// Whether `path` means the same as `plain`, which begins with a slash and is spelled plainly.
pub(crate) fn is(path: &str, plain: &str) -> bool {
    if path == plain {
        return true;
    }
    let mut written = segments(path);
    segments(plain).all(|plain| written.next().is_some_and(|written| means(written, plain))) && written.next().is_none()
}

/// The plain spelling of `path`.
pub(crate) fn decoded_path(path: &str) -> String {
    segments(path).fold(String::new(), |plain, segment| plain + "/" + &decoded(segment))
}

/// What follows `base` in another spelling of it.
fn after<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    segments(base).try_fold(path, |rest, plain| {
        let inside = rest.trim_start_matches('/');
        let end = inside.find('/').unwrap_or(inside.len());
        let (written, following) = inside.split_at_checked(end)?;
        (inside.len() < rest.len() && means(written, plain)).then_some(following)
    })
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn means(written: &str, plain: &str) -> bool {
    written == plain || (written.contains('%') && decoded(written) == plain)
}

/// A segment without the percent-encoding of what needs none (RFC 3986, section 2.3).
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut pieces = segment.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        match code.filter(|code| code.is_ascii_alphanumeric() || "-._~".contains(*code)) {
            Some(code) => {
                text.push(code);
                text.push_str(piece.get(2..).unwrap_or_default());
            }
            None => {
                text.push('%');
                text.push_str(piece);
            }
        }
    }
    Cow::Owned(text)
}

/// Whether a segment is `.` or `..`, spelled out or percent-encoded; URL parsers resolve those.
fn climbs(path: &str) -> bool {
    path.contains(['.', '%'])
        && path.split(['/', '\\']).any(|segment| {
            let plain = segment.to_ascii_lowercase().replace("%2e", ".");
            plain == "." || plain == ".."
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_segments_of_the_base_count() {
        assert_eq!(under("/v1/models", "/v1"), Some("/models"));
        assert_eq!(under("/v1", "/v1"), Some(""));
        assert_eq!(under("/v12/models", "/v1"), None);
        assert_eq!(under("/models", "/v1"), None);
        assert_eq!(under("v1/models", "/v1"), None);
    }

    #[test]
    fn other_spellings_of_the_base_are_the_base_and_what_follows_keeps_its_own() {
        assert_eq!(under("//v1//models/", "/v1"), Some("//models/"));
        assert_eq!(under("/%761/models", "/v1"), Some("/models"));
        assert_eq!(under("//openai///v1/a%2Fb", "/openai/v1"), Some("/a%2Fb"));
        assert_eq!(under("/openai/v2/models", "/openai/v1"), None);
        assert_eq!(under("//v12/models", "/v1"), None);
    }

    #[test]
    fn a_path_that_climbs_is_nobodys() {
        for path in ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/a/.%2e/b", "/v1/./a", "/v1/..\\admin", "//v1//../admin"] {
            assert_eq!(under(path, "/v1"), None, "{path}");
        }
        assert_eq!(under("/v1/a..b/...", "/v1"), Some("/a..b/..."));
    }

    #[test]
    fn a_slash_that_is_encoded_and_another_case_are_another_path() {
        for other in ["/chat%2Fcompletions", "/Chat/Completions", "/chat/completions/x", "/chat", ""] {
            assert!(!is(other, "/chat/completions"), "{other}");
        }
    }

    proptest! {
        #[test]
        fn slashes_and_needless_encoding_change_no_meaning(
            slashes in prop::collection::vec(1_usize..4, 3), encoded in prop::collection::vec(any::<bool>(), 15),
        ) {
            let mut encoded = encoded.into_iter().cycle();
            let mut spell = |text: &str| {
                let letters = text.chars().map(|letter| match encoded.next() {
                    Some(true) => format!("%{:02x}", u32::from(letter)),
                    _ => letter.to_string(),
                });
                letters.collect::<String>()
            };
            let path = format!(
                "{}{}{}{}{}",
                "/".repeat(slashes[0]), spell("chat"), "/".repeat(slashes[1]), spell("completions"), "/".repeat(slashes[2] - 1),
            );
            prop_assert!(is(&path, "/chat/completions"), "{}", path);
            prop_assert_eq!(decoded_path(&path), "/chat/completions");
        }

        #[test]
        fn a_plain_spelling_is_its_own(path in "(/[a-z0-9._~-]{1,6}){1,4}") {
            prop_assert_eq!(decoded_path(&path), path.clone());
            prop_assert!(is(&path, &path));
        }
    }
}
