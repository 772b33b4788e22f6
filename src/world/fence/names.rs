//! Names of what a fence consists of. Pure.
//!
//! ## Why
//!
//! A group is a DNS label, which has no dot, so `lifeboat.<group>.<epoch>` is taken apart in one way only: the
//! account of `shop` can be no account of `shop-2`, and none of `shop-2` one of `shop`.

use crate::text::is_name;

/// Where a fence's accounts and epochs are, unless somebody says otherwise.
pub const NAMESPACE: &str = "lifeboat-system";

/// On everything that an installation makes.
pub(super) const LABEL: &str = "lifeboat.dev/fence";
/// The policy that refuses older epochs, and its binding.
pub(super) const POLICY: &str = "lifeboat-fence";
/// The policy that keeps epochs from the fence itself, and its binding.
pub(super) const GUARD: &str = "lifeboat-fence-guard";
/// On the policy: the epoch of each group and who raised it, as its expression has them.
pub(super) const RECORD: &str = "lifeboat.dev/epochs";
/// On the policy's binding: where the accounts are.
pub(super) const PLACE: &str = "lifeboat.dev/fence-namespace";
/// What accounts of epochs may do.
pub(super) const ROLE: &str = "lifeboat-epoch";
/// What every account of the fence's namespace may do, so that its request gets as far as the policy.
pub(super) const WITNESS_ROLE: &str = "lifeboat-witness";
/// An account of no epoch: refused whatever the epochs are.
pub(super) const WITNESS: &str = "lifeboat.witness";
/// How names of accounts begin.
pub(super) const PREFIX: &str = "lifeboat.";
/// What the policy says to an account of no group or epoch that it knows.
pub(super) const UNKNOWN: &str = "this account is of no epoch that is known here";
/// Between a group and the number at which it is, in the words of the policy.
pub(super) const AT: &str = " is at epoch ";
/// What the policy says to an older epoch, with those numbers.
pub(in crate::world) const OVER: &str = "the epoch of this account is over";

/// The account of an epoch of a group, and the binding of its role.
pub(in crate::world) fn account(group: &str, epoch: u64) -> String {
    format!("{PREFIX}{group}.{epoch}")
}

/// The group and the epoch of an account.
pub(super) fn parse(name: &str) -> Option<(&str, u64)> {
    let (group, epoch) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let number = epoch.parse().ok()?;
    // `07` and `+7` are numbers, and not how we write them.
    (is_name(group) && account(group, number) == name).then_some((group, number))
}

/// The first Kubernetes whose API servers have these policies without anybody turning them on.
const OLDEST: (u32, u32) = (1, 30);

/// Whether a server of this version (`v1.37.2`, `v1.29.3-gke.1`) can have a fence; `None`: it does not say.
pub(super) fn can_fence(version: &str) -> Option<bool> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major = parts.next()?.parse().ok()?;
    // Some write `30+`.
    let minor = parts.next()?.trim_end_matches('+').parse().ok()?;
    Some((major, minor) >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_of_one_group_and_one_epoch() {
        for (group, epoch) in [
            ("shop", 7),
            ("shop-2", 7),
            ("shop", 27),
            ("0", 0),
            ("a-1", u64::MAX),
        ] {
            assert_eq!(parse(&account(group, epoch)), Some((group, epoch)));
        }
        for other in [
            WITNESS,
            "lifeboat.shop",
            "lifeboat.shop.",
            "lifeboat.shop.07",
            "lifeboat.shop.+7",
            "lifeboat.shop.7.1",
            "lifeboat.shop.2.7",
            "lifeboat..7",
            "lifeboat-shop.7",
            "default",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn servers_before_1_30_have_no_such_policies() {
        for (version, can) in [
            ("v1.37.2", Some(true)),
            ("v1.30.0", Some(true)),
            ("v1.29.14+k3s1", Some(false)),
            ("v1.9.0", Some(false)),
            ("v1.30+", Some(true)),
            ("v2.0.0", Some(true)),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(can_fence(version), can, "{version}");
        }
    }
}
