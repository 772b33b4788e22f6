//! Steps that lead a domain name elsewhere: where to, and whether that can be done when it is needed.

use std::collections::BTreeSet;

use crate::runbook::{ACTIVE, Step, TAKEOVERS, outside_zones};
use crate::step::names::Names;
use crate::text::{
    Diagnostic, Diagnostics, DomainName, Node, NodeValue, Template, TemplatePiece, codes, quote,
};

const DNS: &str = "dns";

pub(super) fn check(names: &Names<'_>, found: &mut Diagnostics) {
    let steps = names.runbook.steps.iter();
    for step in steps.filter(|step| step.kind.value == DNS) {
        let findings = [
            zone(names, step),
            way_back(names, step),
            same_disaster(names, step),
        ];
        findings.into_iter().flatten().for_each(|one| found.push(one));
    }
}

/// The roles whose sites a step's values lead to, as the roles are today; none: its values name no site.
pub(super) fn leads_to(names: &Names<'_>, step: &Step) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    gather(&step.params, &mut places);
    let runbook = names.runbook;
    let roles = runbook.roles.iter();
    let meant = roles.filter(|(role, site)| places.contains(*role) || places.contains(&site.value));
    meant.map(|(role, _)| role.clone()).collect()
}

/// The places of all `${sites.<place>.…}` in it.
fn gather(node: &Node, places: &mut BTreeSet<String>) {
    match &node.value {
        NodeValue::String(text) => {
            let template = Template::parse(text, node.span).unwrap_or_default();
            for piece in template.pieces {
                if let TemplatePiece::Reference(reference) = piece
                    && let [root, place, _] = reference.value.0.as_slice()
                    && root == "sites"
                {
                    places.insert(place.clone());
                }
            }
        }
        NodeValue::Sequence(list) => list.iter().for_each(|one| gather(one, places)),
        NodeValue::Mapping(entries) => entries.iter().for_each(|(_, one)| gather(one, places)),
        _ => {}
    }
}

fn server<'a>(names: &Names<'a>, step: &Step) -> Option<&'a crate::runbook::DnsServer> {
    names.sites.dns.get(step.params.get("server")?.as_str()?)
}

/// A name that is known without its inputs is in one of the server's zones.
fn zone(names: &Names<'_>, step: &Step) -> Option<Diagnostic> {
    let zones = &server(names, step)?.zones;
    let node = step.params.get("name")?;
    let name: DomainName = node.as_str()?.parse().ok()?;
    name.zone_of(zones)
        .is_none()
        .then(|| outside_zones(&name, node.span, zones))
}

/// Addresses that are written out are the same in a failback.
fn way_back(names: &Names<'_>, step: &Step) -> Option<Diagnostic> {
    let both = leaves(step) && step.modes.iter().any(|mode| mode.goes_back());
    let mut places = BTreeSet::new();
    gather(&step.params, &mut places);
    let by_role = places.iter().any(|place| names.runbook.roles.contains_key(place));
    if !both || by_role {
        return None;
    }
    let message = format!(
        "{} leads to the same place in a failover and in the failback after it",
        quote(&step.name.value)
    );
    let label = "its values do not change sides with the roles";
    let doubt = Diagnostic::warning(codes::SAME_WAY_BACK, message, step.name.span, label);
    Some(
        doubt
            .help("give each site a value, `values: { address: 192.0.2.10 }`, and write `${sites.standby.address}`")
            .help("or write one step for each direction, with `modes`"),
    )
}

/// Whether it takes part in leaving the side that is active today.
fn leaves(step: &Step) -> bool {
    let mut modes = step.modes.iter();
    modes.any(|mode| TAKEOVERS.contains(mode) && !mode.goes_back())
}

/// The DNS server goes with the side that is to be left.
fn same_disaster(names: &Names<'_>, step: &Step) -> Option<Diagnostic> {
    let server = server(names, step)?;
    let active = names.runbook.roles.get(ACTIVE)?;
    let domain = &names.sites.sites.get(&active.value)?.failure_domain;
    let within = !domain.is_empty() && server.failure_domain.starts_with(domain);
    if !within || !leaves(step) || !super::takeover::takes_over(names, step) {
        return None;
    }
    let message = format!(
        "the disaster that takes {} takes {}, which is to lead customers away from it",
        quote(&active.value),
        quote(&server.name.value)
    );
    let doubt = Diagnostic::warning(
        codes::DNS_WITH_SITE,
        message,
        step.name.span,
        "cannot be done then",
    );
    Some(
        doubt.help(
            "have the zone's primary server in another failure domain, or say what is done by hand then",
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::runbook::load;
    use crate::step::{KINDS, check, kind_names};
    use crate::text::Sources;

    const HEAD: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { embedded: {}, failureDomain: [a, east], values: { address: 192.0.2.10 } }
    west: { embedded: {}, failureDomain: [a, west], values: { address: 198.51.100.7 } }
  dns:
    corp: { embedded: {}, zones: [acme.example], failureDomain: [b] }
    near: { embedded: {}, zones: [acme.example], failureDomain: [a, east, rack-1] }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  people: { lead: [anna] }
  steps:
    - { name: risk, accept: { risk: split-brain, by: [lead] } }
";

    fn checked(step: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("shop.yaml", format!("{HEAD}    - {{ name: move, {step} }}\n"));
        let loaded = load(&sources, &[id], &kind_names(KINDS));
        check(loaded, KINDS).0.diagnostics.render(&sources, false)
    }

    fn moved(params: &str) -> String {
        checked(&format!("needs: [risk], dns: {{ {params} }}"))
    }

    #[test]
    fn a_name_that_leads_to_the_standby_takes_over() {
        let step = |params: &str| {
            checked(&format!(
                "dns: {{ server: corp, name: shop.acme.example, {params} }}"
            ))
        };
        for takes in [
            "addresses: ['${sites.standby.address}']",
            "addresses: ['${sites.active.address}', '${sites.standby.address}']",
            "addresses: ['${sites.west.address}']",
            "addresses: [203.0.113.9]",
        ] {
            assert!(step(takes).contains("error[L050]"), "{takes}: {}", step(takes));
        }
        assert_eq!(
            step("addresses: ['${sites.active.address}']"),
            "",
            "it stays where it is"
        );
    }

    #[test]
    fn what_can_be_known_of_the_server_and_the_name_is_said_where_it_stands() {
        let to = "addresses: ['${sites.standby.address}']";
        assert_eq!(moved(&format!("server: corp, name: shop.acme.example, {to}")), "");
        insta::assert_snapshot!(moved(&format!("server: crop, name: shop.acme.example, {to}")), @"
        error[L049]: there is no DNS server `crop`
          --> shop.yaml:23:51
           |
        23 |     - { name: move, needs: [risk], dns: { server: crop, name: shop.acme.example, addresses: ['${sites....
           |                                                   ^^^^ not in the inventory
           |
           = help: did you mean `corp`?

        1 error in 1 file.
        ");
        insta::assert_snapshot!(moved(&format!("server: corp, name: shop.acme.exmaple, {to}")), @"
        error[L051]: `shop.acme.exmaple` is in no zone of this DNS server
          --> shop.yaml:23:63
           |
        23 | ...], dns: { server: corp, name: shop.acme.exmaple, addresses: ['${sites.standby.address}'] } }
           |                                  ^^^^^^^^^^^^^^^^^ in none of its zones
           |
           = help: its `zones` in the inventory: acme.example

        1 error in 1 file.
        ");
        insta::assert_snapshot!(moved(&format!("server: corp, name: 'shop acme', {to}")), @"
        error[L048]: `shop acme` is not a domain name: between its dots stand 1 to 63 of a-z, 0-9, - and _
          --> shop.yaml:23:63
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: 'shop acme', addresses: ['${sites.standb...
           |                                                               ^^^^^^^^^^^ not a domain name

        1 error in 1 file.
        ");
        insta::assert_snapshot!(moved("server: corp, name: shop.acme.example, addresses: [192.0.2]"), @"
        warning[L114]: `move` leads to the same place in a failover and in the failback after it
          --> shop.yaml:23:15
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: shop.acme.example, addresses: [192.0.2] } }
           |               ^^^^ its values do not change sides with the roles
           |
           = help: give each site a value, `values: { address: 192.0.2.10 }`, and write `${sites.standby.address}`
           = help: or write one step for each direction, with `modes`

        error[L052]: `192.0.2` is not an IP address
          --> shop.yaml:23:94
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: shop.acme.example, addresses: [192.0.2] } }
           |                                                                                              ^^^^^^^ neither IPv4 nor IPv6

        1 error, 1 warning in 1 file.
        ");
        insta::assert_snapshot!(moved("server: corp, name: shop.acme.example"), @"
        warning[L114]: `move` leads to the same place in a failover and in the failback after it
          --> shop.yaml:23:15
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: shop.acme.example } }
           |               ^^^^ its values do not change sides with the roles
           |
           = help: give each site a value, `values: { address: 192.0.2.10 }`, and write `${sites.standby.address}`
           = help: or write one step for each direction, with `modes`

        error[L035]: say where the name leads: `addresses` or `alias`, and not both
          --> shop.yaml:23:41
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: shop.acme.example } }
           |                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ does not go together

        1 error, 1 warning in 1 file.
        ");
    }

    #[test]
    fn what_an_incident_would_find_out_is_doubted() {
        insta::assert_snapshot!(moved("server: corp, name: shop.acme.example, addresses: [198.51.100.7]"), @"
        warning[L114]: `move` leads to the same place in a failover and in the failback after it
          --> shop.yaml:23:15
           |
        23 |     - { name: move, needs: [risk], dns: { server: corp, name: shop.acme.example, addresses: [198.51.10...
           |               ^^^^ its values do not change sides with the roles
           |
           = help: give each site a value, `values: { address: 192.0.2.10 }`, and write `${sites.standby.address}`
           = help: or write one step for each direction, with `modes`

        1 warning in 1 file.
        ");
        let to = "name: shop.acme.example, addresses: ['${sites.standby.address}']";
        insta::assert_snapshot!(moved(&format!("server: near, {to}")), @"
        warning[L115]: the disaster that takes `east` takes `near`, which is to lead customers away from it
          --> shop.yaml:23:15
           |
        23 |     - { name: move, needs: [risk], dns: { server: near, name: shop.acme.example, addresses: ['${sites....
           |               ^^^^ cannot be done then
           |
           = help: have the zone's primary server in another failure domain, or say what is done by hand then

        1 warning in 1 file.
        ");
    }
}
