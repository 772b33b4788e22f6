//! Dependencies point one way only.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer may use those to its left. The same list stands in the crate's documentation.
const LAYERS: &[&str] = &[
    "text", "objects", "archive", "effect", "runbook", "step", "plan", "run", "world", "report", "serve",
    "cli",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_owned(), text)
        })
        .collect()
}

/// The layer of every `crate::<layer>` outside of comments.
fn uses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(at, line)| {
            line.split("crate::").skip(1).map(move |rest| {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                (at + 1, &rest[..end])
            })
        })
}

#[test]
fn a_layer_uses_only_the_layers_to_its_left() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (path, text) in sources() {
        let first = path
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let Some(own) = LAYERS.iter().position(|layer| *layer == first) else {
            continue;
        };
        for (line, used) in uses(&text) {
            looked_at += 1;
            if LAYERS
                .iter()
                .position(|layer| *layer == used)
                .is_some_and(|other| other > own)
            {
                wrong.push(format!("{}:{line}: {first} uses {used}", path.display()));
            }
        }
    }
    assert!(
        looked_at > 50,
        "only {looked_at} uses were found: the test reads the wrong place"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_is_named_and_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for layer in LAYERS {
        assert!(
            root.join(layer).join("mod.rs").is_file(),
            "src/{layer}/mod.rs is missing"
        );
    }
}

#[test]
fn no_file_has_more_than_600_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn only_the_planner_and_the_command_line_know_modes() {
    let names_a_mode = |line: &str| {
        !line.trim_start().starts_with("//") && line.split("Mode::").count() > line.split("PutMode::").count()
    };
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let place = path.to_string_lossy().into_owned();
        let free = ["plan/", "cli/", "runbook/", "report/"]
            .iter()
            .any(|known| place.starts_with(known));
        let code = text.split("#[cfg(test)]").next().unwrap();
        if !free && !place.contains("test") && code.lines().any(names_a_mode) {
            wrong.push(place.clone());
        }
        let inner = ["step/", "run/", "world/"]
            .iter()
            .any(|known| place.starts_with(known));
        if inner && text.contains("dry_run") {
            wrong.push(format!("{place}: dry_run"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
