//! Which site plays which role.

use std::collections::BTreeMap;

use super::Runbook;

/// The role of the site that serves today.
pub const ACTIVE: &str = "active";
/// The role of the site that would take over.
pub const STANDBY: &str = "standby";

impl Runbook {
    /// Role → site as things stand today.
    pub fn sites_by_role(&self) -> BTreeMap<String, String> {
        self.roles
            .iter()
            .map(|(role, site)| (role.clone(), site.value.clone()))
            .collect()
    }
}

/// The same with active and standby in each other's place, as a failback has them.
#[must_use]
pub fn swapped(mut roles: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (active, standby) = (roles.remove(ACTIVE), roles.remove(STANDBY));
    roles.extend(standby.map(|site| (ACTIVE.to_owned(), site)));
    roles.extend(active.map(|site| (STANDBY.to_owned(), site)));
    roles
}
