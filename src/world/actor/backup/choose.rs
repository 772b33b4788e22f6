//! What a selection means at one site: its namespaces, its kinds, and in which order they are listed.
//!
//! ## Why one listing for all namespaces, or one for each
//!
//! An API server's work is mostly per object, and some per request: here an empty listing cost about as
//! much as 25 objects. A listing of all namespaces also reads what is not wanted; one per namespace costs
//! 45 requests for each, wanted or not. So few namespaces are listed one by one, which also reads no
//! Secret of anybody else, and many together (see [`FEW`] and [`SHARE`]).

use bytes::Bytes;

use crate::archive::LeftOut;
use crate::effect::{ClusterScoped, ErrorKind, Mismatch, Selection, WorldError};
use crate::objects::{ApiKind, LabelSelector, RELATED, builtin, kind_left_out};
use crate::world::actor::marks::text;
use crate::world::actor::site::Site;
use crate::world::port::{Listing, PAGE};

use super::pages::read_pages;

/// So many namespaces are always listed one by one: less than 200 requests, about a third of a second.
const FEW: usize = 4;

/// Beyond that, all namespaces are listed together where at least one in so many is wanted. A namespace
/// of 100 to 200 objects costs as much as its 45 requests would at about one in eight.
const SHARE: usize = 8;

/// Definitions per page: they are the largest objects there are, up to a megabyte each.
const DEFINITIONS_PAGE: usize = 20;

/// What is to be read.
pub(super) struct Chosen {
    /// Sorted by name.
    pub(super) namespaces: Vec<String>,
    /// The namespaces as objects, in the same order.
    pub(super) places: Vec<Bytes>,
    /// In the order of the archive.
    pub(super) lines: Vec<Line>,
    /// What is not read, and by which rule.
    pub(super) left_out: Vec<LeftOut>,
}

/// One kind: listings whose objects follow each other in the archive.
pub(super) struct Line {
    pub(super) kind: ApiKind,
    pub(super) listings: Vec<Listing>,
    /// Outside of namespaces: not everything that is listed is meant.
    pub(super) only_related: bool,
}

/// Looks at the site and decides.
pub(super) async fn choose(site: &Site<'_>, selection: &Selection) -> Result<Chosen, WorldError> {
    let served = site.kinds().await?;
    let resources: Vec<String> = served.iter().map(ApiKind::resource).collect();
    selection.check_kinds(&resources).map_err(|wrong| {
        mismatch(
            site,
            ErrorKind::Rejected,
            wrong,
            "correct the step's `kinds` or `exclude`",
        )
    })?;
    let (all, chosen) = namespaces(site, selection).await?;
    let (namespaces, places): (Vec<String>, Vec<Bytes>) = chosen.into_iter().unzip();
    let mut left_out = excluded(&all, selection);
    let mut kinds: Vec<&ApiKind> = served.iter().collect();
    kinds.sort_by_key(|kind| kind.resource());
    let mut lines = Vec::new();
    let wide = together(namespaces.len(), all.len());
    for kind in kinds.iter().filter(|kind| kind.namespaced) {
        match why_not(kind, selection) {
            Some(why) => left_out.push(rule(kind.resource(), why)),
            None => lines.push(Line {
                kind: (*kind).clone(),
                listings: listings(kind, &namespaces, wide, &selection.labels),
                only_related: false,
            }),
        }
    }
    cluster_scoped(&kinds, selection, &mut lines, &mut left_out);
    if !selection.labels.is_empty() {
        left_out.push(rule(
            "objects without the labels".into(),
            &format!("the step takes only {}", selection.label_words()),
        ));
    }
    left_out.sort();
    Ok(Chosen {
        namespaces,
        places,
        lines,
        left_out,
    })
}

/// Whether so many of so many namespaces are listed together.
fn together(chosen: usize, all: usize) -> bool {
    chosen > FEW && chosen * SHARE >= all
}

fn why_not(kind: &ApiKind, selection: &Selection) -> Option<&'static str> {
    let resource = kind.resource();
    kind_left_out(&resource).or_else(|| selection.leaves_kind_out(&resource))
}

fn rule(what: String, why: &str) -> LeftOut {
    LeftOut {
        what,
        why: why.to_owned(),
    }
}

fn mismatch(site: &Site<'_>, kind: ErrorKind, wrong: Mismatch, otherwise: &str) -> WorldError {
    let hint = wrong.meant.map(|meant| format!("did you mean {meant}?"));
    site.error(kind, wrong.what)
        .hint(hint.unwrap_or_else(|| otherwise.to_owned()))
}

/// Every namespace's name, and of the chosen ones the object too. One that is missing is a mistake,
/// and not an empty backup.
async fn namespaces(
    site: &Site<'_>,
    selection: &Selection,
) -> Result<(Vec<String>, Vec<(String, Bytes)>), WorldError> {
    let Some(kind) = builtin("Namespace") else {
        return Ok((Vec::new(), Vec::new()));
    };
    let items = read_pages(site, &listing(&kind, None, None)).await?;
    let mut there = Vec::with_capacity(items.len());
    for item in items {
        let object = Listing::object(&kind, &item).map_err(|error| {
            site.error(ErrorKind::Damaged, "list namespaces: an item is not JSON")
                .caused_by(&error)
        })?;
        there.push((text(&object, "/metadata/name").to_owned(), item));
    }
    let names: Vec<&str> = there.iter().map(|(name, _)| name.as_str()).collect();
    let chosen = selection.choose_namespaces(&names).map_err(|wrong| {
        mismatch(
            site,
            ErrorKind::NotFound,
            wrong,
            "correct the step's `namespaces`",
        )
    })?;
    let chosen: Vec<String> = chosen.into_iter().map(str::to_owned).collect();
    let all = names.into_iter().map(str::to_owned).collect();
    there.retain(|(name, _)| chosen.binary_search(name).is_ok());
    there.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((all, there))
}

/// Namespaces that are meant by one word of the step and left out by another.
fn excluded(all: &[String], selection: &Selection) -> Vec<LeftOut> {
    let meant = Selection {
        exclude_namespaces: Vec::new(),
        ..selection.clone()
    };
    all.iter()
        .filter(|name| meant.takes_namespace(name) && !selection.takes_namespace(name))
        .map(|name| rule(format!("Namespace {name}"), "the step leaves this namespace out"))
        .collect()
}

fn listing(kind: &ApiKind, namespace: Option<&str>, labels: Option<&LabelSelector>) -> Listing {
    Listing {
        kind: kind.clone(),
        namespace: namespace.map(str::to_owned),
        labels: labels.cloned(),
        limit: PAGE,
    }
}

/// A selector can ask for all of its conditions only, so several need a listing each.
fn listings(kind: &ApiKind, namespaces: &[String], wide: bool, labels: &[LabelSelector]) -> Vec<Listing> {
    let mut places: Vec<Option<&str>> = namespaces.iter().map(|name| Some(name.as_str())).collect();
    // In the order in which a server lists all of them together: by `namespace/name`.
    places.sort_by_key(|name| format!("{}/", name.unwrap_or_default()));
    if wide {
        places = vec![None];
    }
    let mut asked: Vec<Option<&LabelSelector>> = labels.iter().map(Some).collect();
    if asked.is_empty() {
        asked.push(None);
    }
    let each = |labels: Option<&LabelSelector>| -> Vec<Listing> {
        places.iter().map(|place| listing(kind, *place, labels)).collect()
    };
    asked.into_iter().flat_map(each).collect()
}

/// Kinds outside of namespaces come last: which of their objects are meant shows when all others are
/// known.
fn cluster_scoped(
    kinds: &[&ApiKind],
    selection: &Selection,
    lines: &mut Vec<Line>,
    left_out: &mut Vec<LeftOut>,
) {
    let outside = kinds
        .iter()
        .filter(|kind| !kind.namespaced && kind.resource() != "namespaces");
    match selection.cluster {
        ClusterScoped::None => {
            left_out.push(rule("cluster-scoped objects".into(), "the step takes none"));
        }
        ClusterScoped::Related => {
            left_out.push(rule(
                "other cluster-scoped objects".into(),
                "nothing that was captured names them",
            ));
            for (group, name) in RELATED {
                let served = outside
                    .clone()
                    .find(|kind| kind.group == group && kind.kind == name);
                // What is related comes along whatever `kinds` says, but not against `exclude`.
                let wanted = served.filter(|kind| !selection.exclude.contains(&kind.resource()));
                lines.extend(wanted.map(|kind| outside_line(kind, true)));
            }
        }
        ClusterScoped::All => {
            for kind in outside {
                match why_not(kind, selection) {
                    // The definitions of captured objects come along whatever `kinds` says.
                    Some(_) if is_definition(kind) && !selection.exclude.contains(&kind.resource()) => {
                        lines.push(outside_line(kind, true));
                    }
                    Some(why) => left_out.push(rule(kind.resource(), why)),
                    None => lines.push(outside_line(kind, false)),
                }
            }
        }
    }
}

fn is_definition(kind: &ApiKind) -> bool {
    kind.kind == "CustomResourceDefinition" && kind.group == "apiextensions.k8s.io"
}

fn outside_line(kind: &ApiKind, only_related: bool) -> Line {
    let limit = if is_definition(kind) {
        DEFINITIONS_PAGE
    } else {
        PAGE
    };
    Line {
        kind: kind.clone(),
        // By labels it is chosen here and not by the server: related objects need not have them.
        listings: vec![Listing {
            limit,
            ..listing(kind, None, None)
        }],
        only_related,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_namespaces_are_listed_one_by_one_and_many_together() {
        for (chosen, all, expected) in [
            (1, 1, false),
            (4, 4, false),
            (5, 5, true),
            (5, 40, true),
            (5, 41, false),
            (50, 51, true),
            (100, 1000, false),
            (200, 1000, true),
        ] {
            assert_eq!(together(chosen, all), expected, "{chosen} of {all}");
        }
    }

    #[test]
    fn namespaces_are_listed_in_the_order_in_which_a_server_lists_them_together() {
        let names = ["shop", "shop-eu", "bank"].map(str::to_owned);
        let kind = builtin("Secret").unwrap();
        let order: Vec<String> = listings(&kind, &names, false, &[])
            .into_iter()
            .filter_map(|one| one.namespace)
            .collect();
        assert_eq!(order, ["bank", "shop-eu", "shop"], "`-` comes before `/`");
        assert_eq!(listings(&kind, &names, true, &[]).len(), 1);
        let either = [LabelSelector::default(), LabelSelector::default()];
        assert_eq!(listings(&kind, &names, true, &either).len(), 2);
    }
}
