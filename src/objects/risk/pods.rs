//! Pods, and templates of pods, that reach their node.

use serde_json::Value;

use super::{Danger, Risk};
use crate::objects::json::{list, pod_template};
use crate::objects::node;

pub(super) fn of(object: &Value) -> Option<Danger> {
    let spec = object.pointer(&format!("{}/spec", pod_template(object)?))?;
    reaches(spec).map(|why| (Risk::NodeAccess, why))
}

fn reaches(pods: &Value) -> Option<String> {
    if let Some(power) = node::power(pods) {
        return Some(format!("its pods {power}"));
    }
    if let Some(key) = node::shared(pods) {
        return Some(format!("its pods share the node ({key})"));
    }
    let on_node = |volume: &Value| volume.get("hostPath").is_some();
    list(pods, "/volumes")
        .any(on_node)
        .then(|| "its pods mount folders of the node (hostPath)".into())
}
