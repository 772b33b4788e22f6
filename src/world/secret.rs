//! Secrets: read where they lie when they are needed, by the machine that needs them, and shown to nobody.

use std::path::Path;

use crate::runbook::Secret;

/// Of a secret. Signed tokens have one or two KiB; what is larger is another file.
const BYTES_MAX: u64 = 16 * 1024;

/// What a person can do where one cannot be read.
pub(super) const HINT: &str = "it has to be there for the lifeboat that carries the run";

/// The secret's text, without the space around it. `what` it should be is one word, such as `key`.
///
/// # Errors
///
/// Why there is none, with the name of its place and without anything that it holds.
pub(super) async fn read(secret: &Secret, what: &str) -> Result<String, String> {
    match secret {
        Secret::File(file) => in_file(file, what).await,
        Secret::Env(name) => in_env(name, what),
    }
}

/// Where it lies: `/run/secrets/hooks`, `the variable HOOKS`.
pub(super) fn place(secret: &Secret) -> String {
    match secret {
        Secret::File(file) => file.display().to_string(),
        Secret::Env(name) => format!("the variable {name}"),
    }
}

/// As [`read`], of a file.
///
/// # Errors
///
/// As there.
pub(super) async fn in_file(file: &Path, what: &str) -> Result<String, String> {
    let shown = file.display();
    let cannot = |error: std::io::Error| format!("cannot read the {what} in {shown}: {error}");
    let size = tokio::fs::metadata(file).await.map_err(cannot)?.len();
    if size > BYTES_MAX {
        return Err(format!(
            "{shown} has {size} bytes, and a {what} at most {BYTES_MAX}"
        ));
    }
    let text = tokio::fs::read_to_string(file).await.map_err(cannot)?;
    trimmed(&text, what, &shown.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a secret is no setting: it is looked up by name when it is used, and kept nowhere"
)]
fn in_env(name: &str, what: &str) -> Result<String, String> {
    let cannot = |error| match error {
        std::env::VarError::NotPresent => format!("there is no {what}: the variable {name} is not set"),
        // Its own words would show the value.
        std::env::VarError::NotUnicode(_) => format!("the variable {name} holds no text"),
    };
    let text = std::env::var(name).map_err(cannot)?;
    trimmed(&text, what, &format!("the variable {name}"))
}

fn trimmed(text: &str, what: &str, place: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("{place} is empty, and should hold a {what}")),
        secret => Ok(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_there_is_named_and_what_is_there_is_not_shown() {
        let read = async |name: &str| read(&Secret::Env(name.into()), "key").await;
        assert_eq!(
            read("LIFEBOAT_NO_SUCH_VARIABLE").await.unwrap_err(),
            "there is no key: the variable LIFEBOAT_NO_SUCH_VARIABLE is not set"
        );
        assert!(!read("PATH").await.unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        tokio::fs::write(&large, vec![b's'; 16 * 1024 + 1]).await.unwrap();
        let error = in_file(&large, "key").await.unwrap_err();
        assert!(
            error.ends_with("large has 16385 bytes, and a key at most 16384"),
            "{error}"
        );
    }
}
