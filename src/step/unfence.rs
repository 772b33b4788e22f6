//! `unfence`: let namespaces go that a `fence` holds.

use super::fence::{Params, hold, release};
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, Query};
use crate::objects::{HOLD_LABEL, WOKEN, is_held};
use crate::text::shell_word;

/// The kind.
#[derive(Debug)]
pub(super) struct Unfence;

impl StepKind for Unfence {
    const NAME: &'static str = "unfence";
    const SUMMARY: &'static str = "Let namespaces go that a fence holds, and wake the controllers that it has put off. One that nothing holds stays as it is.";
    const EXAMPLE: &'static str = include_str!("../../examples/unfence.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        release("west", &["shop".to_owned()])
    }

    fn check(params: &Params) -> Result<(), String> {
        params.check()
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        params.questions()
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let found = params.look(seen)?;
        let was_held = found.into_iter().filter(|(_, found)| found.is_some_and(is_held));
        let again: Vec<String> = was_held.map(|(namespace, _)| namespace.to_owned()).collect();
        let undo = (!again.is_empty()).then(|| hold(&params.site.0, again));
        Ok(Script {
            effects: release(&params.site.0, &params.names()),
            undo: undo.into_iter().collect(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, None);
        let mut hands = vec![Hand::say(
            "Take the label off; the message that there is none is fine:",
        )];
        for namespace in params.names() {
            let name = shell_word(&namespace);
            hands.push(Hand::run(format!(
                "{kubectl} label namespace {name} {HOLD_LABEL}-"
            )));
        }
        hands.push(Hand::say(
            "Controllers make their pods again. One that was refused pods for long asks again after up to 17 minutes; that its workload changes, were it only an annotation, wakes it at once:",
        ));
        for namespace in params.names() {
            let inside = place.kubectl(&params.site.0, Some(&namespace));
            hands.push(Hand::run(format!(
                "{inside} annotate replicasets,statefulsets,daemonsets,jobs --all --overwrite {WOKEN}=hand-$(date +%s)"
            )));
            hands.push(Hand::run(format!("{inside} get pods")));
        }
        hands
    }
}
