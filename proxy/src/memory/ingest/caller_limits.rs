//! What each caller may have read and stored, with all its projects and users.

use std::fmt;
use std::sync::Arc;

use mainpoint_store::Scope;

use crate::config::LimitsConfig;

/// Says what each caller may use.
#[derive(Clone)]
pub(crate) struct CallerLimits(Arc<dyn Fn(&str) -> LimitsConfig + Send + Sync>);

impl fmt::Debug for CallerLimits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallerLimits")
    }
}

impl CallerLimits {
    /// What `of` says of a caller, by the scope that it has without project and user. It is asked often, and must not wait.
    pub(crate) fn new(of: impl Fn(&str) -> LimitsConfig + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }

    /// That of the caller that a scope belongs to.
    pub(super) fn of(&self, scope: &Scope) -> LimitsConfig {
        (self.0)(caller(scope))
    }
}

/// The caller that a scope belongs to: what stands before the first dot. Its projects and users stand behind it.
pub(super) fn caller(scope: &Scope) -> &str {
    scope.as_str().split('.').next().unwrap_or_default()
}
