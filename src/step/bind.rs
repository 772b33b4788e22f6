//! stub
use super::{Kind, Ready};
use crate::runbook::{Runbook, Sites};
use crate::text::Diagnostics;
use serde_json::Value;
use std::collections::BTreeMap;
/// stub
pub fn bind(
    _: &Runbook,
    _: &Sites,
    _: &BTreeMap<String, String>,
    _: &BTreeMap<String, Value>,
    _: &[Kind],
) -> (Vec<Option<Box<dyn Ready>>>, Diagnostics) {
    (Vec::new(), Diagnostics::default())
}
