//! Whether something fits: `ResourceQuota` and `LimitRange` against what is to be made.
//!
//! ## Why
//!
//! A quota with scopes counts only some pods; which of them is not worked out here, so such a quota is
//! named as not judged, and never as one that holds.

use serde_json::Value;

use super::json::{list, name, text};
use super::usage::{Amounts, Defaults, Demand, amounts, complete};
use super::{Quantity, Usage};

/// One quota of a namespace: what it allows and what is used of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub hard: Amounts,
    /// What is used now.
    pub used: Amounts,
    /// It counts only some objects.
    pub scoped: bool,
}

/// One amount that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Excess {
    /// `requests.cpu`.
    pub resource: String,
    /// What is needed more than now.
    pub needs: Quantity,
    /// What is used now.
    pub used: Quantity,
    /// What is allowed.
    pub hard: Quantity,
}

impl Quota {
    /// Reads it off an object. What is used stands in its status.
    pub fn of(object: &Value) -> Self {
        Self {
            name: name(object).to_owned(),
            hard: amounts(object.pointer("/spec/hard")),
            used: amounts(object.pointer("/status/used")),
            scoped: list(object, "/spec/scopes").next().is_some()
                || object.pointer("/spec/scopeSelector").is_some(),
        }
    }

    /// What does not fit any more when this much is needed besides. Of what shrinks nothing is said.
    pub fn excess(&self, needed: &Amounts) -> Vec<Excess> {
        let one = |(resource, hard): (&String, &Quantity)| {
            let needs = *needed.get(resource)?;
            let used = self.used.get(resource).copied().unwrap_or_default();
            (needs > Quantity::ZERO && used.plus(needs) > *hard).then(|| Excess {
                resource: resource.clone(),
                needs,
                used,
                hard: *hard,
            })
        };
        self.hard.iter().filter_map(one).collect()
    }

    /// What every pod must say for this quota, and these pods do not: `limits.memory`.
    pub fn unsaid(&self, pods: &Usage) -> Vec<String> {
        let computed = |name: &&String| {
            let bare = name.strip_prefix("requests.").or(name.strip_prefix("limits."));
            matches!(bare.unwrap_or(name), "cpu" | "memory")
        };
        let counted = if pods.pods.is_empty() {
            &pods.own
        } else {
            &pods.pods
        };
        if !counted.contains_key("pods") {
            return Vec::new();
        }
        let names = self.hard.keys().filter(computed);
        names
            .filter(|name| !counted.contains_key(*name))
            .cloned()
            .collect()
    }
}

/// The limits of one `LimitRange` for one sort of thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Its name.
    pub name: String,
    /// `Container`, `Pod`, `PersistentVolumeClaim`.
    pub of: String,
    min: Amounts,
    max: Amounts,
    defaults: Defaults,
}

impl Limits {
    /// All limits of a `LimitRange`.
    pub fn all_of(object: &Value) -> Vec<Self> {
        let one = |limit: &Value| Self {
            name: name(object).to_owned(),
            of: text(limit, "/type").unwrap_or("").to_owned(),
            min: amounts(limit.pointer("/min")),
            max: amounts(limit.pointer("/max")),
            defaults: Defaults {
                requests: amounts(limit.pointer("/defaultRequest")),
                limits: amounts(limit.pointer("/default")),
            },
        };
        list(object, "/spec/limits").map(one).collect()
    }

    /// What containers get that do not say: of the first that says something.
    pub fn defaults(all: &[Self]) -> Defaults {
        let mut found = Defaults::default();
        for limits in all.iter().filter(|limits| limits.of == "Container") {
            complete(&mut found.requests, &limits.defaults.requests);
            complete(&mut found.limits, &limits.defaults.limits);
        }
        found
    }

    /// Why a pod of this spec would be refused; `None`: not by this.
    pub fn refuses_pod(&self, spec: &Value, defaults: &Defaults) -> Option<String> {
        match self.of.as_str() {
            "Pod" => self.refuses(&Demand::of(spec, defaults)),
            "Container" => {
                let all = list(spec, "/containers").chain(list(spec, "/initContainers"));
                all.into_iter()
                    .find_map(|one| self.refuses(&Demand::of_container(one, defaults)))
            }
            _ => None,
        }
    }

    /// Why a claim would be refused.
    pub fn refuses_claim(&self, claim: &Value) -> Option<String> {
        let asked = amounts(claim.pointer("/spec/resources/requests"));
        if self.of != "PersistentVolumeClaim" {
            return None;
        }
        let above = |(name, most): (&String, &Quantity)| {
            let amount = asked.get(name).filter(|amount| *amount > most)?;
            Some(format!("{name} {amount} is more than {most}"))
        };
        let below = |(name, least): (&String, &Quantity)| {
            let amount = asked.get(name).filter(|amount| *amount < least)?;
            Some(format!("{name} {amount} is less than {least}"))
        };
        self.max
            .iter()
            .find_map(above)
            .or_else(|| self.min.iter().find_map(below))
    }

    fn refuses(&self, demand: &Demand) -> Option<String> {
        let above = |(name, most): (&String, &Quantity)| match demand.limits.get(name) {
            None => Some(format!("no limit of {name} is given, and {most} is the most")),
            Some(limit) if limit > most => Some(format!("the limit {name} {limit} is more than {most}")),
            Some(_) => None,
        };
        let below = |(name, least): (&String, &Quantity)| match demand.requests.get(name) {
            None => Some(format!("no request of {name} is given, and {least} is the least")),
            Some(asked) if asked < least => Some(format!("the request {name} {asked} is less than {least}")),
            Some(_) => None,
        };
        self.max
            .iter()
            .find_map(above)
            .or_else(|| self.min.iter().find_map(below))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn needed(amount: &str) -> Amounts {
        amounts(Some(&json!({"requests.cpu": amount})))
    }

    fn quota(hard: &str, used: &str) -> Quota {
        Quota::of(
            &json!({"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": hard, "pods": "5"}},
                          "status": {"used": {"requests.cpu": used}}}),
        )
    }

    #[test]
    fn what_fits_exactly_fits_and_a_thousandth_more_does_not() {
        assert_eq!(quota("2", "500m").excess(&needed("1500m")), []);
        let excess = quota("2", "500m").excess(&needed("1501m"));
        assert_eq!(excess[0].resource, "requests.cpu");
        assert_eq!(
            (excess[0].used, excess[0].hard),
            (Quantity::parse("0.5").unwrap(), Quantity::count(2))
        );
    }

    #[test]
    fn a_quota_that_is_full_already_hinders_nobody_who_needs_nothing() {
        assert_eq!(quota("1", "3").excess(&needed("0")), []);
        assert_eq!(quota("1", "3").excess(&needed("-1")), []);
        assert_eq!(quota("1", "3").excess(&Amounts::new()), []);
    }

    #[test]
    fn a_quota_over_cpu_asks_every_pod_to_say_it() {
        let silent = Usage {
            pods: amounts(Some(&json!({"pods": "1"}))),
            ..Usage::default()
        };
        assert_eq!(quota("2", "0").unsaid(&silent), ["requests.cpu"]);
        let says = Usage {
            pods: amounts(Some(&json!({"pods": "1", "requests.cpu": "1"}))),
            ..Usage::default()
        };
        assert!(quota("2", "0").unsaid(&says).is_empty());
        assert!(
            quota("2", "0").unsaid(&Usage::default()).is_empty(),
            "it has no pods"
        );
    }

    #[test]
    fn limits_are_kept_by_what_is_between_them() {
        let range = json!({"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "1"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "200m"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}});
        let limits = Limits::all_of(&range);
        let defaults = Limits::defaults(&limits);
        let pod = |cpu: &str| json!({"containers": [{"resources": {"limits": {"cpu": cpu}}}]});
        assert_eq!(limits[0].refuses_pod(&pod("1"), &defaults), None);
        assert_eq!(
            limits[0].refuses_pod(&json!({"containers": [{}]}), &defaults),
            None,
            "by default"
        );
        assert_eq!(
            limits[0].refuses_pod(&pod("1001m"), &defaults).unwrap(),
            "the limit cpu 1001m is more than 1"
        );
        assert_eq!(
            limits[0].refuses_pod(&pod("99m"), &defaults).unwrap(),
            "the request cpu 99m is less than 100m"
        );
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        assert_eq!(limits[1].refuses_claim(&claim("1Gi")), None);
        assert_eq!(
            limits[1].refuses_claim(&claim("2Gi")).unwrap(),
            "storage 2Gi is more than 1Gi"
        );
        assert_eq!(limits[0].refuses_claim(&claim("2Gi")), None);
    }

    proptest! {
        #[test]
        fn there_is_an_excess_exactly_where_the_sum_is_more(hard in 0_u64..2000, used in 0_u64..2000, more in 1_u64..2000) {
            let milli = |n: u64| format!("{n}m");
            let excess = quota(&milli(hard), &milli(used)).excess(&needed(&milli(more)));
            prop_assert_eq!(!excess.is_empty(), used + more > hard);
        }
    }
}
