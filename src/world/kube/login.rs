//! The login of a connection, taken anew from the kubeconfig when the server does not take it any more.
//!
//! ## Why
//!
//! - A token of a cloud lasts an hour, and a failover with people in it may last longer. The client renews one
//!   whose end it was told; this is for all others, and for a person who logs in again by hand.
//! - **One request more, and only after a 401**: the first thing that a server asks is who asks, so what it
//!   refused so it has not done. If it refuses again, the engine pauses the run.
//! - Only the login is taken from the kubeconfig. One that leads to another server by now is refused: the plan
//!   was made for the first one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::config;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};

/// Where a login comes from.
#[derive(Clone)]
pub(super) struct Login {
    /// `None`: what `KUBECONFIG` says, else `~/.kube/config`.
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) context: String,
}

/// A client, and which login of this connection it has.
pub(super) struct LoggedIn {
    pub(super) client: kube::Client,
    pub(super) config: kube::Config,
    /// Counted from 0.
    pub(super) number: u64,
}

/// The login that is in use, and how to get the next.
pub(super) struct Logins {
    now: Mutex<Arc<LoggedIn>>,
    /// `None`: it was given, and cannot be renewed.
    pub(super) source: Option<Login>,
    /// Held by whoever is about to renew it.
    renewing: tokio::sync::Mutex<()>,
}

impl Logins {
    pub(super) fn new(client: kube::Client, config: kube::Config) -> Self {
        Self {
            now: Mutex::new(Arc::new(LoggedIn {
                client,
                config,
                number: 0,
            })),
            source: None,
            renewing: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Arc<LoggedIn> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sees to it that there is a later login than this one; `None`: there is nowhere to get one from.
    /// Of many requests that are refused at the same time one renews it for all.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`: the kubeconfig gives none, or leads elsewhere by now.
    pub(super) async fn after(&self, site: &str, number: u64) -> Result<Option<Arc<LoggedIn>>, WorldError> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let _alone = self.renewing.lock().await;
        let now = self.now();
        if now.number > number {
            return Ok(Some(now));
        }
        let cannot = |why: &str| {
            let message =
                format!("the server does not take the login any more, and it cannot be renewed: {why}");
            WorldError::new(ErrorKind::Unauthenticated, site, message)
        };
        let found = config::connect(site, source.kubeconfig.as_deref(), &source.context).await;
        let found = found.map_err(|error| WorldError {
            causes: error.causes,
            hints: error.hints,
            ..cannot(&error.message)
        })?;
        if !leads_to_the_same(&found, &now.config) {
            let why = format!("context `{}` leads to {} by now", source.context, found.server);
            return Err(cannot(&why).hint("begin a run whose plan was made for that server"));
        }
        let found = found.logged_in();
        let later = Arc::new(LoggedIn {
            client: found.client.clone(),
            config: found.config.clone(),
            number: now.number + 1,
        });
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = later.clone();
        Ok(Some(later))
    }
}

/// The same address, and the same who may vouch for it.
fn leads_to_the_same(found: &Wire, config: &kube::Config) -> bool {
    let new = &found.logged_in().config;
    new.cluster_url == config.cluster_url
        && new.root_cert == config.root_cert
        && new.accept_invalid_certs == config.accept_invalid_certs
        && new.tls_server_name == config.tls_server_name
        && new.proxy_url == config.proxy_url
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::world::kube::call::Call;
    use crate::world::testserver::{Server, answer};

    /// A server that knows this token only.
    async fn knowing(token: &'static str) -> Server {
        Server::start(move |request, _| {
            if request.header("authorization") == Some(&format!("Bearer {token}")) {
                answer(200, &json!({"gitVersion": "v1.37.2"}))
            } else {
                answer(401, &json!({"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"}))
            }
        })
        .await
    }

    #[expect(clippy::disallowed_methods, reason = "a kubeconfig is a file")]
    fn write(file: &Path, server: &str, token: &str) {
        let config = json!({"apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "east", "context": {"cluster": "c", "user": "u"}}]});
        std::fs::write(file, config.to_string()).unwrap();
    }

    fn tokens(server: &Server) -> Vec<String> {
        let requests = server.requests();
        let token = |request: &crate::world::testserver::Request| {
            let header = request.header("authorization").unwrap_or_default();
            header.trim_start_matches("Bearer ").to_owned()
        };
        requests.iter().map(token).collect()
    }

    struct Stage {
        server: Server,
        folder: tempfile::TempDir,
        wire: Wire,
    }

    impl Stage {
        /// A connection whose token the server knows no longer.
        async fn with_an_old_login() -> Self {
            let server = knowing("new").await;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("config");
            write(&file, &server.url, "old");
            let wire = config::connect("east", Some(&file), "east").await;
            let wire = wire.unwrap_or_else(|error| panic!("{error}"));
            Self { server, folder, wire }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("config")
        }

        async fn version(&self) -> Result<(), WorldError> {
            let asked = self.wire.json::<serde_json::Value>(&Call::get("/version")).await;
            asked.map(drop)
        }
    }

    #[tokio::test]
    async fn a_new_login_in_the_kubeconfig_is_taken_after_one_refusal() {
        let stage = Stage::with_an_old_login().await;
        write(&stage.file(), &stage.server.url, "new");
        assert_eq!(stage.version().await, Ok(()));
        assert_eq!(stage.version().await, Ok(()));
        assert_eq!(tokens(&stage.server), ["old", "new", "new"]);
    }

    #[tokio::test]
    async fn a_login_that_is_still_refused_is_not_tried_a_third_time() {
        let stage = Stage::with_an_old_login().await;
        let error = stage.version().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        assert_eq!(tokens(&stage.server), ["old", "old"]);
    }

    #[tokio::test]
    async fn requests_that_are_refused_together_renew_the_login_once() {
        let stage = Stage::with_an_old_login().await;
        write(&stage.file(), &stage.server.url, "new");
        let all = futures::future::join_all((0..8).map(|_| stage.version())).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!(stage.wire.logged_in().number, 1);
        let tokens = tokens(&stage.server);
        assert_eq!(
            tokens.iter().filter(|token| *token == "new").count(),
            8,
            "{tokens:?}"
        );
    }

    #[tokio::test]
    async fn a_kubeconfig_that_leads_elsewhere_by_now_is_not_followed() {
        let stage = Stage::with_an_old_login().await;
        let other = knowing("new").await;
        write(&stage.file(), &other.url, "new");
        let error = stage.version().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        let words = error.to_string().replace(&other.url, "URL");
        insta::assert_snapshot!(words, @"east: the server does not take the login any more, and it cannot be renewed: context `east` leads to URL by now");
        assert_eq!(tokens(&other), [""; 0]);
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_gone_is_named() {
        let stage = Stage::with_an_old_login().await;
        let file = stage.file();
        tokio::fs::remove_file(&file).await.unwrap();
        let error = stage.version().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        let words = error.to_string().replace(&file.display().to_string(), "FILE");
        insta::assert_snapshot!(words, @"east: the server does not take the login any more, and it cannot be renewed: cannot read kubeconfig FILE: No such file or directory (os error 2)");
    }
}
