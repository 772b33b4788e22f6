//! `copy`: objects from one store to another.

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::StoreName;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{CopyPrefix, Effect};

/// The kind.
#[derive(Debug)]
pub(super) struct Copy;

/// From where to where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The store to read.
    from: StoreName,
    /// The store to write.
    to: StoreName,
    /// Which keys, by how they begin; without it: all.
    #[serde(default)]
    prefix: String,
    /// Replace objects of another content at the target. Off: that is an error.
    #[serde(default)]
    overwrite: bool,
}

impl StepKind for Copy {
    const NAME: &'static str = "copy";
    const SUMMARY: &'static str =
        "Copy objects from one store to another, each compared after it was written.";
    const EXAMPLE: &'static str = include_str!("../../examples/copy.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::CopyPrefix(CopyPrefix {
            from: "vault".to_owned(),
            to: "usb".to_owned(),
            prefix: String::new(),
            overwrite: false,
            sandbox: None,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        if params.from == params.to {
            Err("a store cannot be copied onto itself".into())
        } else {
            Ok(())
        }
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = CopyPrefix {
            from: params.from.0.clone(),
            to: params.to.0.clone(),
            prefix: params.prefix.clone(),
            overwrite: params.overwrite,
            sandbox: None,
        };
        Ok(Script {
            effects: vec![Effect::CopyPrefix(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let (from, to) = (place.store_root(&params.from.0), place.store_root(&params.to.0));
        let word = |text: String| crate::text::shell_word(&text);
        let prefix = &params.prefix;
        let (read, write) = (place.store_tool(&params.from.0), place.store_tool(&params.to.0));
        let mut hands = Vec::new();
        match (read, write) {
            (None, None) => hands.push(Hand::run(format!(
                "mkdir -p {} && cp -R {} {}",
                word(format!("{to}{prefix}")),
                word(format!("{from}{prefix}.")),
                word(format!("{to}{prefix}"))
            ))),
            (read, write) => {
                hands.push(Hand::say("By way of a folder on this machine:"));
                hands.push(match read {
                    Some(tool) => Hand::run(format!(
                        "{tool} cp --recursive {} by-hand",
                        word(format!("{from}{prefix}"))
                    )),
                    None => Hand::run(format!("cp -R {} by-hand", word(format!("{from}{prefix}")))),
                });
                hands.push(match write {
                    Some(tool) => Hand::run(format!(
                        "{tool} cp --recursive by-hand {}",
                        word(format!("{to}{prefix}"))
                    )),
                    None => Hand::run(format!(
                        "mkdir -p {0} && cp -R by-hand/. {0}",
                        word(format!("{to}{prefix}"))
                    )),
                });
            }
        }
        hands.push(Hand::say(
            "Compare the number of files and their sizes on both sides.",
        ));
        hands
    }
}
