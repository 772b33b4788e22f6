//! `traffic`: send requests elsewhere, inside Kubernetes: by a Service's selector, or by the weights of a route in
//! stages.
//!
//! Not here: DNS, and whatever else stands before the cluster.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::params::{LabelSelector, NamespaceName, Role};
use super::probe;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, Guard, Query, ReturnTraffic, Seen, ShiftTraffic};
use crate::objects::{ObjectId, ROUTE_GROUP, Split, Switch};
use crate::text::{Millis, shell_word};

/// The kind.
#[derive(Debug)]
pub(super) struct Traffic;

/// Which way in, and where it leads from then on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// Where the Service or route is.
    namespace: NamespaceName,
    /// A Service, which gets another selector; or use `route`.
    service: Option<String>,
    /// With `service`: its whole selector from then on. Labels that are not named here are not asked for any more.
    to: Option<LabelSelector>,
    /// An `HTTPRoute` of the Gateway API, of which one backend gets more and the others less; or use `service`.
    route: Option<String>,
    /// With `route`: the name of the backend that is to get more. Every rule is changed that has it and another one.
    backend: Option<String>,
    /// With `route`: how many percent it gets, one after the other; what the others get keeps its proportions. Where
    /// it has more already, it keeps that.
    #[schemars(length(min = 1), inner(range(min = 1, max = 100)))]
    stages: Option<Vec<u8>>,
    /// What has to answer well before the first change and at each stage; at the first bad answer everything goes back
    /// to how it was, and the step fails. Mandatory with `route`. Ask the new side itself, not the front: at 10
    /// percent, nine of ten answers of the front still come from the old side.
    probe: Option<probe::Params>,
    /// How long it has to answer well at each stage.
    #[serde(default = "thirty_seconds")]
    steady: Millis,
    /// So many bad answers at each stage change nothing.
    #[serde(default)]
    bad_answers: u32,
}

/// Enough for a front to take up a new weight and for connections to move; what breaks only under load needs longer.
const fn thirty_seconds() -> Millis {
    Millis(30_000)
}

/// A first look with little at stake, then a fair share, then all.
const STAGES: [u8; 3] = [10, 50, 100];

impl StepKind for Traffic {
    const NAME: &'static str = "traffic";
    const SUMMARY: &'static str =
        "Send requests elsewhere: another selector for a Service, or weights of a route in guarded stages.";
    const TAKES_OVER: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/traffic.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let labels = |side: &str| [("side".to_owned(), side.to_owned())].into();
        let service = ShiftTraffic {
            site: "west".to_owned(),
            id: id("Service", "shop", "web"),
            switch: Switch::Selector(labels("west")),
            before: Some(Split::Selector(labels("closed"))),
            guard: None,
        };
        let probe = probe::Probe::specimen();
        let guard = probe.into_iter().find_map(|effect| match effect {
            Effect::Probe(probe) => Some(Guard {
                probe,
                steady_ms: thirty_seconds().0,
                bad_answers: 0,
            }),
            _ => None,
        });
        let route = ShiftTraffic {
            id: id("HTTPRoute", "shop", "web"),
            switch: Switch::Backend {
                to: "web-west".to_owned(),
                stages: STAGES.to_vec(),
            },
            before: None,
            guard,
            ..service.clone()
        };
        vec![Effect::ShiftTraffic(service), Effect::ShiftTraffic(route)]
    }

    fn check(params: &Params) -> Result<(), String> {
        match (&params.service, &params.route) {
            (Some(_), None) => params.check_service()?,
            (None, Some(_)) => params.check_route()?,
            _ => return Err("say what is switched: `service` or `route`, not both".into()),
        }
        match &params.probe {
            Some(probe) => probe.check(),
            None => Ok(()),
        }
    }

    fn needs_ms(params: &Params) -> u64 {
        let stages = if params.route.is_some() {
            params.percents().len()
        } else {
            1
        };
        let each = params.probe.as_ref().map_or(0, |_| params.steady.0);
        each.saturating_mul(stages as u64)
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        vec![params.question()]
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let switch = params.switch();
        let before = match seen.get(&params.question())? {
            Seen::Object(Some(found)) => Some(switch.read(found).map_err(|why| params.refused(&why))?),
            // A step before this one may make it; if none does, this one says that it is not there.
            _ => None,
        };
        let shift = ShiftTraffic {
            site: params.site.0.clone(),
            id: params.id(),
            guard: params.guard(),
            switch: switch.clone(),
            before: before.clone(),
        };
        let back = ReturnTraffic {
            site: params.site.0.clone(),
            id: params.id(),
            switch: switch.clone(),
            before: before.clone(),
        };
        let moves = before.is_none_or(|before| !switch.stages(&before).is_empty());
        Ok(Script {
            effects: vec![Effect::ShiftTraffic(shift)],
            undo: Vec::from_iter(moves.then_some(Effect::ReturnTraffic(back))),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let looks = params.probe.as_ref().map(probe::Params::look_by_hand);
        let mut hands = vec![Hand::say(
            "Write down where requests go now, to be able to go back:",
        )];
        match params.switch() {
            Switch::Selector(_) => params.service_by_hand(&kubectl, &mut hands),
            Switch::Backend { to, .. } => params.route_by_hand(&kubectl, &to, &mut hands),
        }
        if let Some(looks) = looks {
            hands.push(Hand::say(format!(
                "Ask before the first change, and then at each stage for {}:",
                params.steady
            )));
            hands.extend(looks);
            hands.push(Hand::say(
                "After a bad answer put back what you have written down, and find out why.",
            ));
        }
        hands
    }
}

fn id(kind: &str, namespace: &str, name: &str) -> ObjectId {
    let api_version = match kind {
        "HTTPRoute" => format!("{ROUTE_GROUP}/v1"),
        _ => "v1".to_owned(),
    };
    ObjectId {
        api_version,
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

impl Params {
    fn check_service(&self) -> Result<(), String> {
        if self.backend.is_some() || self.stages.is_some() {
            return Err("`backend` and `stages` go with `route`: a selector changes in one go".into());
        }
        match &self.to {
            Some(labels) if !labels.0.is_empty() => Ok(()),
            _ => Err("say which pods the Service leads to: `to`, with at least one label".into()),
        }
    }

    fn check_route(&self) -> Result<(), String> {
        if self.to.is_some() {
            return Err("`to` goes with `service`; of a route say which `backend` gets more".into());
        }
        if self.backend.is_none() {
            return Err("say which `backend` of the route gets more".into());
        }
        if self.probe.is_none() {
            return Err("say by what each stage is judged: `probe`".into());
        }
        let stages = self.percents();
        if stages.iter().any(|percent| !(1..=100).contains(percent)) {
            return Err("a stage is of 1 to 100 percent".into());
        }
        let rising = stages.iter().zip(stages.iter().skip(1)).all(|(a, b)| a < b);
        if !rising || stages.is_empty() {
            return Err("each of the `stages` is larger than the one before".into());
        }
        Ok(())
    }

    fn percents(&self) -> Vec<u8> {
        self.stages.clone().unwrap_or_else(|| STAGES.to_vec())
    }

    fn id(&self) -> ObjectId {
        match (&self.service, &self.route) {
            (None, Some(route)) => id("HTTPRoute", &self.namespace.0, route),
            (service, _) => id(
                "Service",
                &self.namespace.0,
                service.as_deref().unwrap_or_default(),
            ),
        }
    }

    fn switch(&self) -> Switch {
        match (&self.to, &self.backend) {
            (None, Some(backend)) => Switch::Backend {
                to: backend.clone(),
                stages: self.percents(),
            },
            (to, _) => Switch::Selector(to.clone().unwrap_or_default().0),
        }
    }

    fn guard(&self) -> Option<Guard> {
        let probe = self.probe.as_ref()?.effect();
        Some(Guard {
            probe,
            steady_ms: self.steady.0,
            bad_answers: self.bad_answers,
        })
    }

    fn question(&self) -> Query {
        Query::Object {
            site: self.site.0.clone(),
            id: self.id(),
        }
    }

    fn refused(&self, why: &str) -> Refusal {
        let hint = match self.switch() {
            Switch::Selector(_) => "a Service without a selector is not switched by one; name another",
            Switch::Backend { .. } => {
                "a rule that is to be shifted names both backends, one of them perhaps with weight 0"
            }
        };
        let id = self.id();
        Refusal::no(format!("{id} on {} cannot be switched: {why}", self.site.0), hint)
    }

    fn service_by_hand(&self, kubectl: &str, hands: &mut Vec<Hand>) {
        let name = shell_word(self.service.as_deref().unwrap_or_default());
        let labels = self.to.clone().unwrap_or_default().0;
        let patch = json!([{ "op": "replace", "path": "/spec/selector", "value": labels }]);
        hands.push(Hand::run(format!(
            "{kubectl} get service {name} -o jsonpath='{{.spec.selector}}'"
        )));
        hands.push(Hand::run(format!(
            "{kubectl} patch service {name} --type=json -p {}",
            shell_word(&patch.to_string())
        )));
        hands.push(Hand::say(
            "It has worked if there are addresses of the pods that are meant:",
        ));
        hands.push(Hand::run(format!(
            "{kubectl} get endpointslices -l kubernetes.io/service-name={name}"
        )));
    }

    fn route_by_hand(&self, kubectl: &str, backend: &str, hands: &mut Vec<Hand>) {
        let name = shell_word(self.route.as_deref().unwrap_or_default());
        let mut stages = String::new();
        for (at, percent) in self.percents().iter().enumerate() {
            let before = if at == 0 { "" } else { ", then " };
            let _ = write!(stages, "{before}{percent}");
        }
        hands.push(Hand::run(format!(
            "{kubectl} get httproute {name} -o jsonpath='{{.spec.rules[*].backendRefs}}'"
        )));
        hands.push(Hand::say(format!(
            "Set `weight` of the backend {backend} to {stages}, and that of the others to what is left of 100, in each rule that has it:"
        )));
        hands.push(Hand::run(format!("{kubectl} edit httproute {name}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(more: &serde_json::Value) -> Result<(), String> {
        let mut all = json!({ "site": "west", "namespace": "edge" });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        Traffic::check(&serde_json::from_value(all).unwrap())
    }

    #[test]
    fn a_service_has_a_selector_and_a_route_has_stages_and_a_probe() {
        let probe = json!({ "http": "http://x/" });
        let good = [
            json!({ "service": "web", "to": { "app": "web" } }),
            json!({ "service": "web", "to": { "app": "web" }, "probe": probe }),
            json!({ "route": "web", "backend": "web-west", "probe": probe }),
            json!({ "route": "web", "backend": "web-west", "probe": probe, "stages": [5, 100] }),
        ];
        for one in good {
            assert_eq!(checked(&one), Ok(()), "{one}");
        }
        let bad = [
            (json!({}), "say what is switched"),
            (json!({ "service": "a", "route": "b" }), "not both"),
            (json!({ "service": "a" }), "at least one label"),
            (json!({ "service": "a", "to": {} }), "at least one label"),
            (
                json!({ "service": "a", "to": { "a": "b" }, "stages": [1] }),
                "in one go",
            ),
            (json!({ "route": "a", "to": { "a": "b" } }), "say which `backend`"),
            (json!({ "route": "a", "probe": probe }), "say which `backend`"),
            (json!({ "route": "a", "backend": "b" }), "`probe`"),
            (
                json!({ "route": "a", "backend": "b", "probe": {} }),
                "`http` or `tcp`",
            ),
            (
                json!({ "route": "a", "backend": "b", "probe": probe, "stages": [50, 50] }),
                "larger",
            ),
            (
                json!({ "route": "a", "backend": "b", "probe": probe, "stages": [] }),
                "larger",
            ),
            (
                json!({ "route": "a", "backend": "b", "probe": probe, "stages": [0, 50] }),
                "1 to 100",
            ),
        ];
        for (one, why) in bad {
            let said = checked(&one).unwrap_err();
            assert!(said.contains(why), "{one}: {said}");
        }
    }

    fn scripted(params: &serde_json::Value, live: Option<serde_json::Value>) -> Result<Script, Refusal> {
        let params: Params = serde_json::from_value(params.clone()).unwrap();
        let backups = std::collections::BTreeMap::new();
        let scene = Scene {
            runbook: "shop",
            folder: std::path::Path::new("."),
            step: "shift",
            backups: &backups,
        };
        let mut seen = Observed::default();
        seen.insert(params.question(), Seen::Object(live));
        Traffic::script(&params, &scene, &seen)
    }

    fn lines(effects: &[Effect]) -> Vec<String> {
        effects
            .iter()
            .map(|effect| effect.meaning().line().what)
            .collect()
    }

    #[test]
    fn a_plan_says_from_where_to_where_and_takes_back_only_what_it_changes() {
        let service =
            json!({ "site": "west", "namespace": "edge", "service": "web", "to": { "side": "west" } });
        let live = |side: &str| json!({ "spec": { "selector": { "side": side } } });
        let script = scripted(&service, Some(live("east"))).unwrap();
        insta::assert_snapshot!(lines(&script.effects).join(""), @"Service edge/web: side=east → side=west");
        insta::assert_snapshot!(lines(&script.undo).join(""), @"Service edge/web: back to side=east");
        let script = scripted(&service, Some(live("west"))).unwrap();
        assert_eq!((script.effects.len(), script.undo.len()), (1, 0));
        // It is made in the same run, or a drill has one of its own: how it was is noted then.
        let script = scripted(&service, None).unwrap();
        insta::assert_snapshot!(lines(&script.effects).join(""), @"Service edge/web: as it is then → side=west");
        insta::assert_snapshot!(lines(&script.undo).join(""), @"Service edge/web: as the step has noted that it was");
        let why = scripted(&service, Some(json!({ "spec": { "externalName": "x" } }))).unwrap_err();
        let Refusal::No { why, .. } = why else {
            panic!("{why:?}")
        };
        insta::assert_snapshot!(why, @"Service edge/web on west cannot be switched: it has no selector: somebody else says where its requests go");
        let route = json!({ "site": "west", "namespace": "edge", "route": "shop", "backend": "west",
            "probe": { "tcp": "west:80" } });
        let backends = json!([{ "name": "east", "weight": 1 }, { "name": "west", "weight": 0 }]);
        let live = json!({ "spec": { "rules": [{ "backendRefs": backends }] } });
        let script = scripted(&route, Some(live)).unwrap();
        insta::assert_snapshot!(lines(&script.effects).join(""), @"HTTPRoute edge/shop: east 1, west 0 → 10, 50, 100 % to west, each looked at for 30s: TCP west:80 accepts");
    }

    #[test]
    fn it_needs_as_long_as_all_its_stages_together() {
        let route = json!({ "site": "west", "namespace": "edge", "route": "web", "backend": "b", "steady": "2m",
            "probe": { "http": "http://x/" } });
        let mut params: Params = serde_json::from_value(route).unwrap();
        assert_eq!(Traffic::needs_ms(&params), 6 * 60 * 1000);
        params.stages = Some(vec![100]);
        assert_eq!(Traffic::needs_ms(&params), 2 * 60 * 1000);
    }
}
