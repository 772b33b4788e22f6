//! A restore by hand: fetch the archive, take the objects out, clean them, apply them.

use super::Params;
use crate::step::{Hand, Place};
use crate::text::shell_word;

/// What has to go before another cluster takes an object, and what it makes by itself.
const CLEAN: &str = r#"select(.metadata.ownerReferences == null and .kind != "Endpoints" and .metadata.name != "kube-root-ca.crt") | del(.metadata["uid","resourceVersion","creationTimestamp","generation","managedFields"], .status, .spec.clusterIP?, .spec.clusterIPs?, .spec.volumeName?)"#;

pub(super) fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
    let mut hands = params.which().by_hand(place, "by-hand");
    hands.push(Hand::say(
        "What a cluster has to know first (definitions of custom kinds, classes) has to be there; what of it the backup holds is in by-hand/resources/*/cluster.",
    ));
    hands.extend(limits(params).into_iter().map(Hand::Say));
    hands.push(Hand::say("Then, for each namespace:"));
    for namespace in &params.namespaces {
        let target = params.map.namespace(&namespace.0);
        let kubectl = place.kubectl(&params.site.0, None);
        hands.extend(apply(&namespace.0, target, &folders(params), &kubectl));
    }
    hands.push(Hand::say(
        "Errors name objects that need another one: run the last command again until nothing changes. Services of type LoadBalancer and CronJobs begin to act as soon as they are there.",
    ));
    hands
}

/// Where the files of the kinds are that are restored.
fn folders(params: &Params) -> String {
    if params.kinds.is_empty() {
        return "by-hand/resources".to_owned();
    }
    let folder = |kind: &crate::step::select::KindName| format!("by-hand/resources/{}", kind.0);
    params.kinds.iter().map(folder).collect::<Vec<_>>().join(" ")
}

/// One namespace, or those that a pattern stands for, under its name at the site.
fn apply(namespace: &str, target: &str, folders: &str, kubectl: &str) -> [Hand; 2] {
    let create = if namespace.contains('*') {
        format!(
            "ls -d by-hand/resources/*/namespaces/{namespace} | xargs -n1 basename | sort -u | xargs -n1 {kubectl} create namespace"
        )
    } else {
        format!("{kubectl} create namespace {}", shell_word(target))
    };
    let clean = if target == namespace {
        CLEAN.to_owned()
    } else {
        format!("{CLEAN} | .metadata.namespace = {target:?}")
    };
    let apply = format!(
        "find {folders} -path '*/namespaces/{namespace}/*.json' ! -path '*-preferredversion/*' -exec jq {} {{}} + | {kubectl} apply -f -",
        shell_word(&clean)
    );
    [Hand::Run(create), Hand::Run(apply)]
}

/// What the step does and the commands do not.
fn limits(params: &Params) -> Vec<String> {
    let names = |all: &[crate::step::select::KindName]| {
        let names: Vec<&str> = all.iter().map(|kind| kind.0.as_str()).collect();
        names.join(", ")
    };
    let mut all = Vec::new();
    if !params.kinds.is_empty() {
        all.push(format!(
            "Only these kinds are taken, which are folders below by-hand/resources: {}.",
            names(&params.kinds)
        ));
    }
    if !params.exclude.is_empty() {
        all.push(format!(
            "Delete these folders below by-hand/resources first: {}.",
            names(&params.exclude)
        ));
    }
    if !params.labels.is_empty() {
        all.push("Take only objects with the labels that the runbook names.".to_owned());
    }
    if !params.exclude_namespaces.is_empty() {
        all.push("Leave out the namespaces that the runbook names under excludeNamespaces.".to_owned());
    }
    all.extend(
        params
            .map
            .in_words()
            .into_iter()
            .map(|change| format!("Change it in the files before you apply them: {change}.")),
    );
    if !params.change.is_empty() || params.modifiers.is_some() {
        all.push("Make the changes that the runbook names under change and modifiers in the files before you apply them.".to_owned());
    }
    all
}
