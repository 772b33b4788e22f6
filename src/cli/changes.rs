//! `--map-…` and `--modifiers`: what a single restore changes on the way, from a command line.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{CommandError, context};

/// What is changed on the way.
#[derive(Debug, clap::Args)]
pub(super) struct Changes {
    /// Restore a namespace under another name
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    map_namespace: Vec<String>,
    /// Put another storage class in the place of one, in every claim
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    map_storage_class: Vec<String>,
    /// Take images of one registry from another; both may have a path
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    map_registry: Vec<String>,
    /// Put another host name in the place of one, in Ingresses, routes and gateways; `*.` stands for all
    /// that end so
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    map_host: Vec<String>,
    /// Velero's resource modifiers: the ConfigMap, or the rules in it
    #[arg(long, value_name = "FILE")]
    modifiers: Option<PathBuf>,
}

impl Changes {
    /// Each option, its key in a runbook, and what was given.
    fn maps(&self) -> [(&'static str, &'static str, &[String]); 4] {
        [
            ("--map-namespace", "namespaces", &self.map_namespace),
            ("--map-storage-class", "storageClasses", &self.map_storage_class),
            ("--map-registry", "registries", &self.map_registry),
            ("--map-host", "hosts", &self.map_host),
        ]
    }

    /// Adds them to the parameters of a `restore` step.
    pub(super) fn add_to(&self, step: &mut Value) -> Result<(), CommandError> {
        for (option, key, given) in self.maps() {
            if !given.is_empty() {
                step["map"][key] = Value::Object(pairs(option, given)?);
            }
        }
        if let Some(file) = &self.modifiers {
            // The runbook that is made has no folder of its own.
            step["modifiers"] = json!(context::absolute(file));
        }
        Ok(())
    }

    /// The same options again.
    pub(super) fn words(&self) -> Vec<String> {
        let maps = self.maps().into_iter().filter(|(.., given)| !given.is_empty());
        let mut words: Vec<String> = maps
            .map(|(option, _, given)| format!("{option} '{}'", given.join(",")))
            .collect();
        let file = self.modifiers.as_ref();
        words.extend(file.map(|file| format!("--modifiers '{}'", file.display())));
        words
    }
}

fn pairs(option: &str, given: &[String]) -> Result<Map<String, Value>, CommandError> {
    let mut all = Map::new();
    for one in given {
        let (old, new) = one
            .split_once('=')
            .ok_or_else(|| CommandError::input(format!("`{one}` is not a pair; write {option} old=new")))?;
        if all.insert(old.to_owned(), json!(new)).is_some() {
            return Err(CommandError::input(format!("{option} names `{old}` twice")));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        changes: Changes,
    }

    fn given(words: &[&str]) -> Changes {
        let line = std::iter::once(&"restore").chain(words);
        Line::try_parse_from(line).unwrap().changes
    }

    #[test]
    fn options_become_parameters_and_options_again() {
        let words = [
            "--map-namespace",
            "shop=shop-eu,bank=bank-eu",
            "--map-registry",
            "localhost:5000=mirror.example:5000/a",
            "--map-host",
            "*.example.com=*.example.org",
        ];
        let changes = given(&words);
        let mut step = json!({"site": "target"});
        changes.add_to(&mut step).unwrap();
        assert_eq!(
            step,
            json!({"site": "target", "map": {
                "namespaces": {"shop": "shop-eu", "bank": "bank-eu"},
                "registries": {"localhost:5000": "mirror.example:5000/a"},
                "hosts": {"*.example.com": "*.example.org"},
            }})
        );
        assert_eq!(
            changes.words().join(" "),
            "--map-namespace 'shop=shop-eu,bank=bank-eu' --map-registry 'localhost:5000=mirror.example:5000/a' --map-host '*.example.com=*.example.org'"
        );
        let mut untouched = json!({});
        given(&[]).add_to(&mut untouched).unwrap();
        assert_eq!(untouched, json!({}));
    }

    #[test]
    fn what_is_no_pair_and_what_is_there_twice_is_refused() {
        for wrong in ["shop", "shop=a,shop=b"] {
            let error = given(&["--map-namespace", wrong])
                .add_to(&mut json!({}))
                .unwrap_err();
            assert!(error.to_string().contains("shop"), "{error}");
        }
    }
}
