//! Kubernetes objects in YAML files of this machine: what `apply` steps and embedded sites begin with.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::effect::{ErrorKind, WorldError};
use crate::text::{Diagnostics, Severity, Sources, from_node, yaml};

/// The objects of a file, or of all `.yaml`, `.yml` and `.json` files of a folder in the order of their
/// names; lists are taken apart.
///
/// # Errors
///
/// The path is not there or cannot be read; or what is wrong with the text, all of it as causes.
pub fn manifests(path: &Path) -> Result<Vec<Value>, WorldError> {
    let mut objects = Vec::new();
    for file in files(path).map_err(|error| unreadable(path, &error))? {
        let text = read(&file).map_err(|error| unreadable(&file, &error))?;
        objects.extend(parse(&file, text)?);
    }
    Ok(objects)
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let meant = |ending: &std::ffi::OsStr| ["yaml", "yml", "json"].iter().any(|one| ending == *one);
        if file.is_file() && file.extension().is_some_and(meant) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the world reads the files that a runbook names"
)]
fn read(file: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(file)
}

fn parse(file: &Path, text: String) -> Result<Vec<Value>, WorldError> {
    let mut sources = Sources::default();
    let id = sources.add(file.display().to_string(), text);
    let mut found = Diagnostics::default();
    let nodes = yaml::load(&sources, id, &mut found);
    let mut objects = Vec::new();
    for node in &nodes {
        match from_node(node) {
            Ok(object) => flatten(object, &mut objects),
            Err(diagnostic) => found.push(diagnostic),
        }
    }
    if found.has_errors() {
        return Err(wrong(file, &sources, &found));
    }
    Ok(objects)
}

/// `kind: List` holds objects and is none.
fn flatten(object: Value, objects: &mut Vec<Value>) {
    match object {
        Value::Object(mut map) if map.get("kind").is_some_and(|kind| kind == "List") => {
            if let Some(Value::Array(items)) = map.remove("items") {
                objects.extend(items);
            }
        }
        object => objects.push(object),
    }
}

fn wrong(file: &Path, sources: &Sources, found: &Diagnostics) -> WorldError {
    let lines: Vec<String> = found
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .map(|one| match one.labels.first() {
            Some(label) => {
                let at = sources.position(label.span);
                format!("{}:{}: {}", at.line, at.column, one.message)
            }
            None => one.message.clone(),
        })
        .collect();
    let first = lines.first().cloned().unwrap_or_default();
    let mut error = WorldError::new(ErrorKind::Rejected, file.display().to_string(), first);
    error.causes = lines;
    error
}

fn unreadable(path: &Path, error: &std::io::Error) -> WorldError {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
        _ => ErrorKind::Internal,
    };
    WorldError::new(kind, path.display().to_string(), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("playbooks/shop")
            .join(name)
    }

    #[test]
    fn the_shop_is_read_and_an_embedded_site_takes_it() {
        let world = crate::world::sim::Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_site("east");
        let east = world.cluster("east").unwrap();
        for file in ["platform.yaml", "app.yaml"] {
            east.seed(&manifests(&playbook(file)).unwrap()).unwrap();
        }
    }

    #[test]
    fn folders_are_read_in_order_and_lists_are_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::File::create(folder.path().join(name))
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
                .unwrap();
        };
        write("b.yaml", "kind: Two\n---\nkind: Three\n");
        write("a.yml", "kind: List\nitems: [{ kind: One }]\n");
        write("README.md", "not: read");
        let kinds: Vec<Value> = manifests(folder.path())
            .unwrap()
            .into_iter()
            .map(|one| one["kind"].clone())
            .collect();
        assert_eq!(kinds, ["One", "Two", "Three"]);
        write("c.yaml", "kind: Four\nkind: Five\n");
        let error = manifests(folder.path()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.message.starts_with("2:1: "), "{error}");
        let missing = manifests(&folder.path().join("none.yaml")).unwrap_err();
        assert_eq!(missing.kind, ErrorKind::NotFound);
    }
}
