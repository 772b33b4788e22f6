//! How a pod reaches the node that it runs on, past everything that namespaces and network policies
//! keep apart. A drill leaves such pods out, and a restore wants them allowed by name.
//!
//! By the line that the Pod Security level `baseline` draws, as far as it is about the node. Not here:
//! volume types other than `hostPath`, which a drill looks at and which give no power over a node.

use std::fmt;

use serde_json::Value;

use super::json::{CONTAINER_LISTS, is_true, list, text};

/// What a container would be able to do on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power<'a> {
    /// It is a process of the node (Windows).
    Process,
    /// Everything.
    Privileged,
    /// A capability that `baseline` does not let it add.
    Capability(&'a str),
    /// It sees and writes the whole of `/proc`.
    Proc,
}

impl fmt::Display for Power<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("run on the node itself (hostProcess)"),
            Self::Privileged => f.write_str("are privileged on the node"),
            Self::Capability(name) => write!(f, "have the capability {name}"),
            Self::Proc => f.write_str("see all of /proc (procMount)"),
        }
    }
}

/// What the Pod Security level `baseline` lets a container add.
const BASELINE_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The field by which these pods share something of their node.
pub(super) fn shared(pods: &Value) -> Option<&'static str> {
    ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .find(|key| is_true(pods, &format!("/{key}")))
}

/// What the containers of these pods would be able to do on their node.
pub(super) fn power(pods: &Value) -> Option<Power<'_>> {
    if is_true(pods, "/securityContext/windowsOptions/hostProcess") {
        return Some(Power::Process);
    }
    CONTAINER_LISTS
        .iter()
        .flat_map(|containers| list(pods, containers))
        .find_map(of_container)
}

fn of_container(container: &Value) -> Option<Power<'_>> {
    if is_true(container, "/securityContext/privileged") {
        return Some(Power::Privileged);
    }
    if is_true(container, "/securityContext/windowsOptions/hostProcess") {
        return Some(Power::Process);
    }
    if text(container, "/securityContext/procMount").is_some_and(|mount| mount != "Default") {
        return Some(Power::Proc);
    }
    list(container, "/securityContext/capabilities/add")
        .filter_map(Value::as_str)
        .find(|capability| !BASELINE_CAPABILITIES.contains(capability))
        .map(Power::Capability)
}
