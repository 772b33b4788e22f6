//! What people wrote beside a runbook. Only read, never written.

use std::path::{Path, PathBuf};

use crate::report::{PARTS, Prose};
use crate::runbook::Runbook;

/// A longer text is a book that nobody opens in an incident, or not a text at all.
const SIZE_MAX: u64 = 1024 * 1024;

/// The folder for a runbook's file: `plan` beside `runbook.yaml`, else `<name>.plan`, so that runbooks that
/// share a folder do not share their words.
fn folder(file: &Path) -> PathBuf {
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = if stem == "runbook" {
        "plan".to_owned()
    } else {
        format!("{stem}.plan")
    };
    file.with_file_name(name)
}

/// Reads it, as far as it is there.
pub(super) fn read(file: &Path, runbook: &Runbook) -> Prose {
    let folder = folder(file);
    let mut prose = Prose {
        folder: folder.display().to_string(),
        ..Prose::default()
    };
    for (name, path) in texts(&folder) {
        if PARTS.iter().any(|part| part.name == name) {
            take(&path, |text| prose.parts.insert(name, text))
                .unwrap_or_else(|why| prose.unreadable.push(why));
        } else {
            prose.strangers.push(format!("{name}.md"));
        }
    }
    for (name, path) in texts(&folder.join("steps")) {
        if runbook.steps.iter().any(|step| step.name.value == name) {
            take(&path, |text| prose.steps.insert(name, text))
                .unwrap_or_else(|why| prose.unreadable.push(why));
        } else {
            prose.strangers.push(format!("steps/{name}.md"));
        }
    }
    prose
}

/// Markdown files of a folder by their names without `.md`, sorted; none where there is no folder.
fn texts(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let text = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.strip_suffix(".md")?.to_owned();
        Some((name, path))
    };
    let mut found: Vec<_> = entries.filter_map(text).collect();
    found.sort();
    found
}

/// Hands over the text of a file that holds more than blanks.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line reads the files beside a runbook"
)]
fn take<T>(path: &Path, keep: impl FnOnce(String) -> T) -> Result<(), String> {
    let failed = |why: String| format!("{} cannot be read: {why}", path.display());
    let size = std::fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if size > SIZE_MAX {
        return Err(failed(format!("it is larger than {SIZE_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if !text.trim().is_empty() {
        keep(text);
    }
    Ok(())
}
