//! A piece of an object as data of a plan: plans are compared and sorted, and JSON alone has no order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON value with an order: that of its text with sorted keys. Equal maps may have been written in
/// different orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fragment(pub Value);

impl Fragment {
    fn sorted(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_all_objects();
        sorted.to_string()
    }
}

impl Ord for Fragment {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sorted().cmp(&other.sorted())
    }
}

impl PartialOrd for Fragment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
