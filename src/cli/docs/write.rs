//! Writing papers, and over nothing that a person wrote.

use std::path::{Path, PathBuf};

use crate::cli::{CommandError, Exit};

/// Stands in every paper that lifeboat writes. A file without it is somebody's own.
const MARK: &str = "Written by lifeboat; what is changed here is lost when it is written again";

/// How much of a file is looked at for the mark.
const HEAD: usize = 4096;

/// A page with the mark.
pub(super) fn marked(html: &str) -> String {
    html.replacen(
        "<!doctype html>\n",
        &format!("<!doctype html>\n<!-- {MARK}. -->\n"),
        1,
    )
}

/// Markdown with the mark.
pub(super) fn marked_markdown(text: &str) -> String {
    format!("<!-- {MARK}. -->\n\n{text}")
}

/// Writes papers into a folder: all of them, or where one would replace a person's file, none.
#[expect(clippy::disallowed_methods, reason = "papers are files")]
pub(super) fn papers(folder: &Path, papers: &[(String, String)]) -> Result<Vec<PathBuf>, CommandError> {
    let broken = |path: &Path, error: &std::io::Error| {
        CommandError::new(Exit::Broken, format!("cannot write {}: {error}", path.display()))
    };
    let paths: Vec<PathBuf> = papers.iter().map(|(name, _)| folder.join(name)).collect();
    if let Some(path) = paths.iter().find(|path| is_somebodys(path)) {
        return Err(
            CommandError::refused(format!("{} was not written by lifeboat", path.display()))
                .detail("Nothing was written.")
                .hint("give another folder with --out, or take the file away"),
        );
    }
    std::fs::create_dir_all(folder).map_err(|error| broken(folder, &error))?;
    for (path, (_, text)) in paths.iter().zip(papers) {
        std::fs::write(path, text).map_err(|error| broken(path, &error))?;
    }
    Ok(paths)
}

/// Whether a file is there that does not bear the mark. One that cannot be read is not ours to replace.
#[expect(clippy::disallowed_methods, reason = "what would be overwritten is looked at")]
fn is_somebodys(path: &Path) -> bool {
    if !path.exists() {
        return false;
    }
    let bytes = std::fs::read(path).unwrap_or_default();
    let head = bytes.get(..HEAD.min(bytes.len())).unwrap_or_default();
    !String::from_utf8_lossy(head).contains(MARK)
}
