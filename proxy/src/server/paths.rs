//! Which part of a request's path belongs to the upstream.
//!
//! It must not know methods or handlers. A path that could climb out of the upstream's base is nobody's.

/// The part of `path` after `base`, beginning with a slash or empty; `None` when `path` is not under `base`.
pub(crate) fn under<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    let inside = rest.is_empty() || rest.starts_with('/');
    (inside && !climbs(rest)).then_some(rest)
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
    use super::*;

    #[test]
    fn only_whole_segments_of_the_base_count() {
        assert_eq!(under("/v1/models", "/v1"), Some("/models"));
        assert_eq!(under("/v1", "/v1"), Some(""));
        assert_eq!(under("/v12/models", "/v1"), None);
        assert_eq!(under("/models", "/v1"), None);
    }

    #[test]
    fn a_path_that_climbs_is_nobodys() {
        for path in [
            "/v1/../admin",
            "/v1/%2e%2E/admin",
            "/v1/a/.%2e/b",
            "/v1/./a",
            "/v1/..\\admin",
        ] {
            assert_eq!(under(path, "/v1"), None, "{path}");
        }
        assert_eq!(under("/v1/a..b/...", "/v1"), Some("/a..b/..."));
    }
}
