//! From a kubeconfig's context to a connection. Reads files and may run the login program that the
//! kubeconfig names; sends nothing to the server.
//!
//! ## Why
//!
//! - **No retries.** `default_retry` is on in the client and repeats changes; see [`super::wire`].
//! - **Proxies only from the kubeconfig** (`proxy-url`). The client would also take `HTTPS_PROXY`, but
//!   compares `NO_PROXY` with the proxy's own address instead of the server's, so that a cluster on
//!   this very machine would be asked for through the proxy.
//! - **A failed login program is quoted by its stderr only**: tokens are printed on stdout, and its
//!   arguments and environment in the kubeconfig may hold secrets too.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::error::no_credentials;
use super::login::Login;
use super::wire::{CONNECT_LIMIT, SILENCE_LIMIT, Wire};
use crate::effect::{ErrorKind, WorldError};
use crate::text::closest;
use crate::world::transport;

/// Connects `site` by this context of this kubeconfig; `None`: what `KUBECONFIG` says, else
/// `~/.kube/config`.
pub(super) async fn connect(
    site: &str,
    kubeconfig: Option<&Path>,
    context: &str,
) -> Result<Wire, WorldError> {
    transport::install_tls_provider();
    let file = kubeconfig.map_or_else(|| "the kubeconfig".into(), |path| path.display().to_string());
    let site = site.to_owned();
    let login = Login {
        kubeconfig: kubeconfig.map(Path::to_path_buf),
        context: context.to_owned(),
    };
    // Reads files and may run a login program that asks a cloud: not on a thread that others need.
    // The client's own tasks are started from inside, so it must be a thread of this runtime.
    let load = move || blocking(&site, &file, login);
    match tokio::task::spawn_blocking(load).await {
        Ok(wire) => wire,
        Err(error) => Err(WorldError::new(
            ErrorKind::Internal,
            "kubeconfig",
            error.to_string(),
        )),
    }
}

fn blocking(site: &str, file: &str, login: Login) -> Result<Wire, WorldError> {
    let (path, context) = (login.kubeconfig.as_deref(), login.context.as_str());
    let kubeconfig = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let kubeconfig = kubeconfig.map_err(|error| unreadable(site, file, &error))?;
    let proxy = proxy_of(&kubeconfig, site, file, context)?;
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let load = Config::from_custom_kubeconfig(kubeconfig, &options);
    let config = tokio::runtime::Handle::current().block_on(load);
    let mut config = config.map_err(|error| unusable(site, file, context, &error))?;
    config.proxy_url = match proxy {
        Some(url) => Some(url.parse().map_err(|error: http::uri::InvalidUri| {
            let message = format!("context `{context}` of {file}: proxy-url `{url}` is not an address");
            WorldError::new(ErrorKind::Internal, site, message).caused_by(&error)
        })?),
        None => None,
    };
    if config.accept_invalid_certs {
        tracing::warn!(
            site,
            context,
            "insecure-skip-tls-verify: nothing proves that this is the right server"
        );
    }
    let file_flag = path.map_or_else(String::new, |path| format!(" --kubeconfig {}", path.display()));
    let kubectl = format!("kubectl{file_flag} --context {context}");
    client(site, config, kubectl).map(|wire| wire.renewable(login))
}

/// The client with this tool's limits and without its own retries. A kubeconfig cannot set a read
/// timeout; one that is set is a test's.
pub(super) fn client(site: &str, mut config: Config, kubectl: String) -> Result<Wire, WorldError> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout.get_or_insert(SILENCE_LIMIT);
    config.write_timeout = Some(SILENCE_LIMIT);
    // Otherwise the time that a pooled connection sat idle would count as silence.
    config.reset_reader_on_write = true;
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    match Client::try_from(config.clone()) {
        Ok(client) => Ok(Wire::new(client, config, site, server, kubectl)),
        Err(kube::Error::Auth(error)) => Err(no_credentials(site, &kubectl, &error)),
        Err(error) => {
            let message = format!(
                "cannot set up a connection to {server}: {}",
                transport::innermost(&error)
            );
            let mut failed = WorldError::new(ErrorKind::Internal, site, message);
            failed.causes = transport::causes(&error);
            Err(failed)
        }
    }
}

/// The `proxy-url` of the context's cluster. Also where a missing context is noticed.
fn proxy_of(
    kubeconfig: &Kubeconfig,
    site: &str,
    file: &str,
    context: &str,
) -> Result<Option<String>, WorldError> {
    let named = kubeconfig.contexts.iter().find(|named| named.name == context);
    let Some(named) = named else {
        return Err(no_context(kubeconfig, site, file, context));
    };
    let cluster = named
        .context
        .as_ref()
        .map_or("", |context| context.cluster.as_str());
    let named = kubeconfig.clusters.iter().find(|named| named.name == cluster);
    let proxy = named.and_then(|named| named.cluster.as_ref()?.proxy_url.clone());
    Ok(proxy.filter(|url| !url.is_empty()))
}

fn no_context(kubeconfig: &Kubeconfig, site: &str, file: &str, context: &str) -> WorldError {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|named| named.name.as_str())
        .collect();
    let known = if names.is_empty() {
        "it has no contexts at all".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    };
    let message = format!("context `{context}` is not in {file}: {known}");
    let error = WorldError::new(ErrorKind::NotFound, site, message);
    match closest(context, names) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint("see them with `kubectl config get-contexts`"),
    }
}

fn unreadable(site: &str, file: &str, error: &KubeconfigError) -> WorldError {
    let (kind, message) = match error {
        KubeconfigError::ReadConfig(source, path) => (
            ErrorKind::NotFound,
            format!("cannot read kubeconfig {}: {source}", path.display()),
        ),
        other => (ErrorKind::Internal, format!("cannot use {file}: {other}")),
    };
    WorldError::new(kind, site, message)
        .hint("name the file in the site inventory (`kubernetes.kubeconfig`) or in KUBECONFIG")
}

fn unusable(site: &str, file: &str, context: &str, error: &KubeconfigError) -> WorldError {
    let message = format!("context `{context}` of {file} cannot be used: {error}");
    WorldError::new(ErrorKind::Internal, site, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
clusters:
  - {name: c, cluster: {server: "http://127.0.0.1:9"}}
  - {name: p, cluster: {server: "http://127.0.0.1:9", proxy-url: "socks5://127.0.0.1:8"}}
users:
  - {name: u, user: {token: t}}
  - name: broken
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        interactiveMode: Never
        command: sh
        args: [-c, "echo s3cret; echo expired >&2; exit 3"]
contexts:
  - {name: east, context: {cluster: c, user: u}}
  - {name: login, context: {cluster: c, user: broken}}
  - {name: proxied, context: {cluster: p, user: u}}
"#;

    async fn connect_by(context: &str) -> Result<Wire, WorldError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        tokio::fs::write(&path, KUBECONFIG).await.unwrap();
        connect("east", Some(&path), context).await.map_err(|mut error| {
            let folder = folder.path().display().to_string();
            error.message = error.message.replace(&folder, "DIR");
            error
        })
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = connect("east", Some(Path::new("/nowhere/config")), "east")
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind, ErrorKind::NotFound);
        insta::assert_snapshot!(error, @"east: cannot read kubeconfig /nowhere/config: No such file or directory (os error 2)");
    }

    #[tokio::test]
    async fn a_missing_context_is_named_with_those_that_exist() {
        let error = connect_by("west").await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::NotFound);
        insta::assert_snapshot!(error, @"east: context `west` is not in DIR/config: it has east, login, proxied");
    }

    #[tokio::test]
    async fn a_failed_login_program_is_quoted_without_its_standard_output() {
        let error = connect_by("login").await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unauthenticated);
        insta::assert_snapshot!(error, @"east: the kubeconfig's login program failed (exit status: 3): expired");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[tokio::test]
    async fn a_proxy_is_taken_from_the_kubeconfig() {
        assert!(connect_by("proxied").await.is_ok());
        let wire = connect_by("proxied").await.unwrap();
        let error = wire
            .send(&super::super::call::Call::get("/version"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    }
}
