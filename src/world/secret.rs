//! Secrets in files: read when they are needed, by the machine that needs them, and shown to nobody.

use std::path::Path;

/// Of a file that holds a secret. Signed tokens have one or two KiB; what is larger is another file.
const BYTES_MAX: u64 = 16 * 1024;

/// The text of a file, without the space around it. `what` it should hold is one word, such as `token`.
///
/// # Errors
///
/// Why there is none, with the file's name and without anything that it holds.
pub(super) async fn read(file: &Path, what: &str) -> Result<String, String> {
    let shown = file.display();
    let cannot = |error: std::io::Error| format!("cannot read the {what} in {shown}: {error}");
    let size = tokio::fs::metadata(file).await.map_err(cannot)?.len();
    if size > BYTES_MAX {
        return Err(format!(
            "{shown} has {size} bytes, and a {what} at most {BYTES_MAX}"
        ));
    }
    let text = tokio::fs::read_to_string(file).await.map_err(cannot)?;
    match text.trim() {
        "" => Err(format!("{shown} is empty, and should hold a {what}")),
        secret => Ok(secret.to_owned()),
    }
}

/// What a person can do about any of it.
pub(super) const HINT: &str = "the file has to be on the machine that carries the run";
