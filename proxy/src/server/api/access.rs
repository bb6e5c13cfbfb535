//! Whose memory a request may reach: a caller's own, or, with the admin token, any.

use http::Request;
use http::header::HeaderMap;
use mainpoint_store::Scope;

use super::query::shown;
use crate::conversation::scope::{Divider, Indivisible, ScopePart, Sender};
use crate::error::{MemoryError, ProxyError};
use crate::http::identity::Identity;
use crate::prompt::Planner;
use crate::server::{Shared, operator};

/// Who asks.
pub(super) struct Access<'a> {
    planner: &'a Planner,
    headers: &'a HeaderMap,
    /// Who the caller is, if that is known for certain.
    identity: Option<Identity>,
    is_admin: bool,
}

impl<'a> Access<'a> {
    /// The caller who sends this request. What an upstream would have to confirm is not certain here, where none is asked.
    pub(super) fn new<B>(shared: &Shared, planner: &'a Planner, request: &'a Request<B>) -> Self {
        let headers = request.headers();
        let is_admin = operator::is_admin(&shared.config.server, headers);
        let known = || shared.identities.of(headers, request.uri(), request.extensions());
        let identity = if shared.identities.are_on_trust() { None } else { known() };
        Self { planner, headers, identity, is_admin }
    }

    /// The scope that is meant, by its name where one is given, and of it the part that the headers of project and user name.
    ///
    /// # Errors
    /// When a scope is named by somebody else than the admin, or none is by the admin; when it is not known who the caller is; and
    /// when the headers name several users or projects, or a part that the scope cannot have.
    pub(super) fn scope(&self, named: Option<&str>) -> Result<Scope, ProxyError> {
        match (self.is_admin, named) {
            (true, Some(name)) => self.part_of(name),
            (true, None) => Err(invalid("missing".to_owned())),
            (false, Some(_)) => Err(ProxyError::Forbidden {
                message:
                    "scope may be given with the admin token alone (server.admin_token_env); without it, it is the \
                    caller's own, by its key and its user's header."
                        .into(),
                param: Some("scope"),
            }),
            (false, None) => {
                let Some(identity) = &self.identity else {
                    return Err(ProxyError::Forbidden {
                        message:
                            "It is not certain who sends this request (identity.from), so that only the admin token \
                            (server.admin_token_env) reaches a memory here."
                                .into(),
                        param: None,
                    });
                };
                let preparer = &self.planner.preparer;
                let sender = Sender { headers: self.headers, identity };
                let scope = preparer.keys.scope(&preparer.callers, sender, self.part()?);
                Ok(scope.map_err(MemoryError::from)?)
            }
        }
    }

    /// The part of a scope that the headers name, else the scope as it is.
    fn part_of(&self, name: &str) -> Result<Scope, ProxyError> {
        let whole = Scope::new(name).map_err(|_| invalid(shown(name)))?;
        let part = self.part()?;
        let preparer = &self.planner.preparer;
        if let Some(Indivisible { by, name, belongs_to }) = Indivisible::find(&whole, part) {
            let header = match by {
                Divider::Project => preparer.callers.project_header(),
                Divider::User => preparer.callers.user_header(),
            };
            let whose = belongs_to.label();
            return Err(ProxyError::InvalidParameter {
                name: header.to_string(),
                value: shown(&name),
                allowed: format!("no such header: the scope {whole} is one {whose}'s part of a memory already"),
            });
        }
        preparer.keys.of_part(&whole, part).map_err(|_| invalid(shown(name)))
    }

    /// Makes sure that the store holds the scope that was named, or, where the headers name a part of it, anything of the whole.
    ///
    /// # Errors
    /// [`ProxyError::UnknownScope`], and when the store fails.
    pub(super) async fn ensure_held(&self, named: &str, scope: &Scope) -> Result<(), ProxyError> {
        let memory = &self.planner.memory;
        if memory.holds(scope).await? {
            return Ok(());
        }
        let unknown = || ProxyError::UnknownScope { value: shown(named) };
        let whole = Scope::new(named).map_err(|_| unknown())?;
        let is_part = *scope != whole;
        if is_part && memory.holds_any_of(&whole).await? { Ok(()) } else { Err(unknown()) }
    }

    /// Which part of a memory the headers name.
    fn part(&self) -> Result<ScopePart<'a>, ProxyError> {
        let callers = &self.planner.preparer.callers;
        Ok(ScopePart { project: callers.project(self.headers)?, user: callers.user(self.headers)? })
    }
}

fn invalid(value: String) -> ProxyError {
    let allowed = "the name of a scope, as GET /mainpoint/v1/scopes lists them".to_owned();
    ProxyError::InvalidParameter { name: "scope".to_owned(), value, allowed }
}
