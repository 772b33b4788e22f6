//! In which order objects can be made: waves that follow from what the objects name, not from a fixed
//! list of kinds. All objects of one wave can be made at the same time.
//!
//! Not here: waiting until something is *ready* between waves. That is a decision of whoever restores.
//!
//! ## Why
//!
//! - A fixed list of kinds (Velero's) puts webhooks before the services that answer them and operators
//!   before their kinds only by accident of the alphabet. What an object names is a better witness.
//! - Two junctions per namespace keep the graph small where everything precedes everything: *ready*
//!   (configuration, rights, limits and network policies before workloads and custom resources) and
//!   *settled* (workloads before the webhooks that they answer). Without them 1,000 of one and 1,000 of
//!   the other would need a million edges. They are order and not need: see `needers`.
//! - Webhooks come after everything that does not need them: what is restored was admitted once, and a
//!   webhook that answers may still refuse, because whatever gives it its certificate is not done.
//! - Custom resources of a definition with a conversion webhook come after the workloads that answer it.
//! - What a person declares (`first`, `then`) is an edge like any other: it can be part of a circle, and
//!   what comes after an object that could not be made is not made either.
//! - Objects that need each other are made in the order of kind and name, and are reported: a server
//!   accepts most references to objects that are not there yet.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Value;

use super::names::Names;
use super::needers::Needers;
use super::outline::{Handle, Outline, Role};

/// The order of restoring. Numbers are positions in the slice that was ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Wave after wave; sorted by group, kind, namespace and name inside a wave.
    pub waves: Vec<Vec<usize>>,
    /// Groups of objects that need each other; inside a group some references had to be ignored.
    pub tangles: Vec<Vec<usize>>,
    /// Which objects name which.
    pub needers: Needers,
}

/// Orders objects by what they name. The same objects in another order give the same waves.
/// Owner references count where they are still there.
pub fn restore_order(objects: &[Value]) -> Order {
    let mut names = Names::default();
    let outlines: Vec<Outline> = objects
        .iter()
        .map(|object| Outline::of(object, &mut names))
        .collect();
    outline_order(outlines, &names, &[])
}

/// The same of objects that are not at hand; `names` are those of the outlines. `declared` are pairs of
/// positions: the first object comes before the second because somebody said so. The outlines are taken
/// and not borrowed: they are in nobody's way while the graph is walked.
pub fn outline_order(outlines: Vec<Outline>, names: &Names, declared: &[(usize, usize)]) -> Order {
    let mut graph = Needs::of(&outlines, names, declared);
    drop(outlines);
    let tangles = graph.untangle();
    Order {
        waves: graph.waves(),
        tangles,
        needers: graph.needers(),
    }
}

/// Group, kind, namespace and name, each by its place in the alphabet.
type Spot = [u32; 4];

struct Needs {
    /// The objects first, in their order; the junctions behind them. An edge: comes before.
    graph: DiGraph<(), ()>,
    /// Where a node stands if nothing else decides: rank, then the object itself.
    places: Vec<(u8, Spot)>,
    objects: usize,
    index: BTreeMap<Handle, usize>,
    /// Number of a name → its place in the alphabet.
    ranks: Vec<u32>,
}

impl Needs {
    fn of(outlines: &[Outline], names: &Names, declared: &[(usize, usize)]) -> Self {
        let mut needs = Self {
            graph: DiGraph::with_capacity(outlines.len(), outlines.len() * 4),
            places: Vec::with_capacity(outlines.len()),
            objects: outlines.len(),
            index: outlines.iter().map(|one| one.handle).zip(0..).collect(),
            ranks: names.ranks(),
        };
        for one in outlines {
            let Handle {
                group,
                kind,
                namespace,
                name,
            } = one.handle;
            let spot = [group, kind, namespace, name].map(|number| needs.ranks[number as usize]);
            needs.places.push((one.rank, spot));
            needs.graph.add_node(());
        }
        needs.add_references(outlines);
        needs.add_kinds_and_claims(outlines);
        for &(first, then) in declared {
            needs.before(first, then);
        }
        needs.add_junctions(outlines, &late(outlines, declared));
        needs.webhooks_last(outlines);
        needs
    }

    fn before(&mut self, first: usize, then: usize) {
        if first != then {
            self.graph
                .add_edge(NodeIndex::new(first), NodeIndex::new(then), ());
        }
    }

    fn add_references(&mut self, outlines: &[Outline]) {
        for (i, one) in outlines.iter().enumerate() {
            for handle in &one.needs {
                if let Some(&needed) = self.index.get(handle) {
                    self.before(needed, i);
                }
            }
        }
    }

    /// A definition before its custom resources, a claim before the stateful set that would make it.
    fn add_kinds_and_claims(&mut self, outlines: &[Outline]) {
        let rare = || {
            let all = outlines.iter().enumerate();
            all.filter_map(|(i, one)| one.rare.as_deref().map(|rare| (i, one.handle, rare)))
        };
        let kinds: BTreeMap<(u32, u32), usize> = rare()
            .filter_map(|(i, _, rare)| Some((rare.defines?, i)))
            .collect();
        let mut claims: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for (i, claim, rare) in rare() {
            if let Some(base) = rare.numbered {
                claims.entry((claim.namespace, base)).or_default().push(i);
            }
        }
        for (i, one) in outlines.iter().enumerate() {
            if let Some(&definition) = kinds.get(&(one.handle.group, one.handle.kind)) {
                self.before(definition, i);
            }
        }
        for (i, set, rare) in rare() {
            for base in &rare.claims {
                for &claim in claims.get(&(set.namespace, *base)).into_iter().flatten() {
                    self.before(claim, i);
                }
            }
        }
    }

    /// `late` are objects for which no junction waits.
    fn add_junctions(&mut self, outlines: &[Outline], late: &BTreeSet<usize>) {
        let mut ready = Junctions::new(RANK_READY);
        let mut settled = Junctions::new(RANK_SETTLED);
        let converters = converters(outlines);
        for (i, one) in outlines.iter().enumerate() {
            let ns = one.handle.namespace;
            match one.role {
                Role::Configuration if !self.is_owned(one) && !late.contains(&i) => {
                    let ready = ready.at(ns, self);
                    self.before(i, ready);
                }
                Role::Workload | Role::Custom => {
                    let ready = ready.at(ns, self);
                    self.before(ready, i);
                }
                Role::Configuration | Role::Other => {}
            }
            if one.role == Role::Workload && !late.contains(&i) {
                let settled = settled.at(ns, self);
                self.before(i, settled);
            }
            if let Some(service) = converters.get(&(one.handle.group, one.handle.kind)) {
                if let Some(&service) = self.index.get(service) {
                    self.before(service, i);
                }
                // A custom resource with pods of its own is one of the namespace's workloads.
                if one.role != Role::Workload || ns != service.namespace {
                    let settled = settled.at(service.namespace, self);
                    self.before(settled, i);
                }
            }
            let Some(rare) = one.rare.as_deref() else { continue };
            for account_ns in &rare.accounts_in {
                let ready = ready.at(*account_ns, self);
                self.before(i, ready);
            }
            for service_ns in &rare.answers_in {
                let settled = settled.at(*service_ns, self);
                self.before(settled, i);
            }
        }
    }

    /// One junction waits for all that does not come after a webhook itself, and the webhooks wait for it.
    fn webhooks_last(&mut self, outlines: &[Outline]) {
        let admits = |one: &Outline| one.rare.as_ref().is_some_and(|rare| rare.admits);
        let hooks: Vec<usize> = (0..self.objects).filter(|&i| admits(&outlines[i])).collect();
        if hooks.is_empty() {
            return;
        }
        let mut after = vec![false; self.graph.node_count()];
        let mut ahead: Vec<NodeIndex> = hooks.iter().copied().map(NodeIndex::new).collect();
        while let Some(node) = ahead.pop() {
            if !std::mem::replace(&mut after[node.index()], true) {
                ahead.extend(self.graph.neighbors(node));
            }
        }
        self.places.push((u8::MAX, [0; 4]));
        let all = self.graph.add_node(()).index();
        for i in (0..self.objects).filter(|&i| !after[i]) {
            self.before(i, all);
        }
        for hook in hooks {
            self.before(all, hook);
        }
    }

    /// Whether an owner of the object is among the objects: then it comes after the owner, and what
    /// needs the namespace's configuration must not wait for it.
    fn is_owned(&self, one: &Outline) -> bool {
        let owners = one.needs.iter().take(one.owners);
        owners.into_iter().any(|owner| self.index.contains_key(owner))
    }

    /// Ignores the references that go against the order of places among objects that need each
    /// other. Linear: no search for the smallest set of references to ignore.
    fn untangle(&mut self) -> Vec<Vec<usize>> {
        let mut group_of = vec![None; self.graph.node_count()];
        let mut tangles = Vec::new();
        for (number, members) in kosaraju_scc(&self.graph).into_iter().enumerate() {
            if members.len() < 2 {
                continue;
            }
            for member in &members {
                group_of[member.index()] = Some(number);
            }
            let mut tangle: Vec<usize> = members.iter().map(|node| node.index()).collect();
            tangle.retain(|&node| node < self.objects);
            tangle.sort_by_key(|&node| self.places[node]);
            tangles.push(tangle);
        }
        tangles.sort_by_key(|tangle| tangle.first().map(|&node| self.places[node]));
        let place = |node: NodeIndex| (self.places[node.index()], node);
        self.graph.retain_edges(|graph, edge| {
            graph.edge_endpoints(edge).is_none_or(|(first, then)| {
                let same =
                    group_of[first.index()].is_some() && group_of[first.index()] == group_of[then.index()];
                !same || place(first) < place(then)
            })
        });
        tangles
    }

    /// What is left of the references between objects.
    fn needers(&self) -> Needers {
        let pairs = self.graph.raw_edges().iter();
        let pairs = pairs.map(|edge| (edge.source().index(), edge.target().index()));
        let objects = self.objects;
        let between = pairs.filter(|(needed, needer)| *needed < objects && *needer < objects);
        Needers::of(objects, between)
    }

    /// A node's wave is the longest way to it; junctions take no wave of their own.
    fn waves(&self) -> Vec<Vec<usize>> {
        let mut level = vec![0_usize; self.graph.node_count()];
        let order = toposort(&self.graph, None).unwrap_or_default();
        debug_assert_eq!(order.len(), self.graph.node_count(), "cycles are broken before");
        for node in order {
            let after = level[node.index()] + usize::from(node.index() < self.objects);
            for next in self.graph.neighbors(node) {
                level[next.index()] = level[next.index()].max(after);
            }
        }
        let mut waves = vec![Vec::new(); level.iter().max().map_or(0, |last| last + 1)];
        for (object, &wave) in level.iter().enumerate().take(self.objects) {
            waves[wave].push(object);
        }
        waves.retain(|wave| !wave.is_empty());
        for wave in &mut waves {
            wave.sort_by_key(|&object| (self.places[object].1, object));
        }
        waves
    }
}

/// What somebody wants to come after something that is no configuration: were it waited for by a junction,
/// the junction would make a circle of that wish, which no object asks for.
fn late(outlines: &[Outline], declared: &[(usize, usize)]) -> BTreeSet<usize> {
    let is_configuration = |at: usize| {
        outlines
            .get(at)
            .is_some_and(|one| one.role == Role::Configuration)
    };
    let late = declared.iter().filter(|(first, _)| !is_configuration(*first));
    late.map(|(_, then)| *then).collect()
}

/// Group and kind of custom resources → the service that converts between their versions.
fn converters(outlines: &[Outline]) -> BTreeMap<(u32, u32), Handle> {
    let rare = outlines.iter().filter_map(|one| one.rare.as_deref());
    rare.filter_map(|rare| Some((rare.defines?, rare.converted_by?)))
        .collect()
}

/// One node per namespace, made when first needed.
struct Junctions {
    rank: u8,
    nodes: BTreeMap<u32, usize>,
}

impl Junctions {
    fn new(rank: u8) -> Self {
        Self {
            rank,
            nodes: BTreeMap::new(),
        }
    }

    fn at(&mut self, namespace: u32, needs: &mut Needs) -> usize {
        *self.nodes.entry(namespace).or_insert_with(|| {
            let spot = [0, 0, needs.ranks[namespace as usize], 0];
            needs.places.push((self.rank, spot));
            needs.graph.add_node(()).index()
        })
    }
}

const RANK_READY: u8 = 100;
const RANK_SETTLED: u8 = 200;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::json::name;
    use super::*;

    fn object(api_version: &str, kind: &str, ns: &str, name: &str, rest: &Value) -> Value {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        if !ns.is_empty() {
            object["metadata"]["namespace"] = ns.into();
        }
        super::super::json::merged(object, rest.clone())
    }

    fn drawn(objects: &[Value]) -> String {
        let order = restore_order(objects);
        let names = |wave: &[usize]| {
            let names: Vec<_> = wave
                .iter()
                .map(|&i| format!("{}/{}", objects[i]["kind"].as_str().unwrap(), name(&objects[i])))
                .collect();
            names.join(" ")
        };
        let mut text = String::new();
        for (i, wave) in order.waves.iter().enumerate() {
            writeln!(text, "{}: {}", i + 1, names(wave)).unwrap();
        }
        for tangle in &order.tangles {
            writeln!(text, "tangle: {}", names(tangle)).unwrap();
        }
        text
    }

    fn shop() -> Vec<Value> {
        let pods = json!({"spec": {"template": {"spec": {"serviceAccountName": "web", "containers": [
            {"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}}]},
        ]}}}});
        let webhook =
            json!({"webhooks": [{"clientConfig": {"service": {"namespace": "shop", "name": "web"}}}]});
        let target = json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let route =
            json!({"spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}});
        let definition = json!({"spec": {"group": "shop.example.com", "names": {"kind": "Coupon"}}});
        let child = json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}]}});
        let set = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}],
                                  "template": {"spec": {"containers": []}}}});
        let role = json!({"roleRef": {"kind": "Role", "name": "web"}, "subjects": [
            {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]});
        let claim = json!({"spec": {"storageClassName": "fast"}});
        let none = json!({});
        vec![
            object(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                "",
                "hook",
                &webhook,
            ),
            object("apps/v1", "Deployment", "shop", "web", &pods),
            object("apps/v1", "StatefulSet", "shop", "db", &set),
            object(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "shop",
                "web",
                &target,
            ),
            object("v1", "ConfigMap", "shop", "child", &child),
            object("v1", "ConfigMap", "shop", "settings", &none),
            object("v1", "PersistentVolumeClaim", "shop", "data-db-0", &claim),
            object("shop.example.com/v1", "Coupon", "shop", "spring", &none),
            object("networking.k8s.io/v1", "Ingress", "shop", "web", &route),
            object(
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                "shop",
                "web",
                &role,
            ),
            object("rbac.authorization.k8s.io/v1", "Role", "shop", "web", &none),
            object("v1", "ServiceAccount", "shop", "web", &none),
            object("v1", "Service", "shop", "web", &none),
            object("storage.k8s.io/v1", "StorageClass", "", "fast", &none),
            object(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "coupons",
                &definition,
            ),
            object("v1", "Namespace", "", "shop", &none),
        ]
    }

    #[test]
    fn everything_comes_after_what_it_names() {
        insta::assert_snapshot!(drawn(&shop()), @r"
        1: Namespace/shop CustomResourceDefinition/coupons StorageClass/fast
        2: ConfigMap/settings PersistentVolumeClaim/data-db-0 Service/web ServiceAccount/web Role/web
        3: Ingress/web RoleBinding/web
        4: Deployment/web StatefulSet/db Coupon/spring
        5: ConfigMap/child HorizontalPodAutoscaler/web
        6: ValidatingWebhookConfiguration/hook
        ");
    }

    #[test]
    fn webhooks_come_after_everything_but_what_needs_them() {
        let owned = |kind: &str, name: &str| {
            json!({"metadata": {"ownerReferences": [
            {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "name": name}]}})
        };
        let hook = |name: &str| {
            let none = json!({});
            object(
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration",
                "",
                name,
                &none,
            )
        };
        let mut objects = shop();
        objects.push(hook("other"));
        let child = owned("MutatingWebhookConfiguration", "other");
        objects.push(object("example.com/v1", "Rule", "", "of-the-other", &child));
        let drawing = drawn(&objects);
        assert!(
            drawing.ends_with(
                "6: MutatingWebhookConfiguration/other ValidatingWebhookConfiguration/hook\n7: Rule/of-the-other\n"
            ),
            "{drawing}"
        );
    }

    #[test]
    fn the_order_of_the_objects_does_not_matter() {
        let mut objects = shop();
        let drawing = drawn(&objects);
        objects.reverse();
        assert_eq!(drawn(&objects), drawing);
        objects.rotate_left(5);
        assert_eq!(drawn(&objects), drawing);
    }

    #[test]
    fn objects_that_need_each_other_are_reported_and_still_ordered() {
        let owned = |kind: &str, name: &str| {
            json!({"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": kind, "name": name}]}})
        };
        let objects = [
            object("v1", "ConfigMap", "shop", "a", &owned("Secret", "b")),
            object("v1", "Secret", "shop", "b", &owned("ConfigMap", "a")),
            object("v1", "ConfigMap", "shop", "after", &owned("ConfigMap", "a")),
        ];
        insta::assert_snapshot!(drawn(&objects), @r"
        1: Secret/b
        2: ConfigMap/a
        3: ConfigMap/after
        tangle: Secret/b ConfigMap/a
        ");
    }

    #[test]
    fn an_object_that_owns_itself_is_no_trouble() {
        let owner =
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "a"}]}});
        let order = restore_order(&[object("v1", "Secret", "shop", "a", &owner)]);
        assert_eq!(order.waves, [[0]]);
        assert!(order.tangles.is_empty());
    }

    #[test]
    fn a_long_chain_and_many_objects_are_ordered_in_linear_time() {
        // 20,000 objects, each owned by the one before, would overflow a recursive search, and a
        // quadratic one would take minutes in a debug build.
        let chain: Vec<Value> = (0..20_000)
            .map(|i| {
                let owner = json!({"metadata": {"ownerReferences": [
                    {"apiVersion": "v1", "kind": "Secret", "name": format!("s{}", i - 1)}]}});
                object("v1", "Secret", "shop", &format!("s{i}"), &owner)
            })
            .collect();
        assert_eq!(restore_order(&chain).waves.len(), 20_000);
    }

    proptest! {
        /// Random owners: many chains and cycles.
        #[test]
        fn every_object_is_in_exactly_one_wave_and_after_its_owner(owners in prop::collection::vec(0..30_usize, 1..30)) {
            let objects: Vec<Value> = owners.iter().enumerate().map(|(i, owner)| {
                let owner = json!({"metadata": {"ownerReferences": [
                    {"apiVersion": "v1", "kind": "Secret", "name": format!("s{owner}")}]}});
                object("v1", "Secret", "shop", &format!("s{i}"), &owner)
            }).collect();
            let order = restore_order(&objects);
            let mut wave_of = BTreeMap::new();
            for (wave, members) in order.waves.iter().enumerate() {
                for &member in members {
                    prop_assert_eq!(wave_of.insert(member, wave), None);
                }
            }
            prop_assert_eq!(wave_of.len(), objects.len());
            for (i, &owner) in owners.iter().enumerate() {
                let tangled = order.tangles.iter().any(|t| t.contains(&i) && t.contains(&owner));
                if owner < objects.len() && owner != i && !tangled {
                    prop_assert!(wave_of[&owner] < wave_of[&i]);
                }
            }
        }
    }
}
