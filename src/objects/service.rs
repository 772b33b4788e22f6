//! What of a Service belongs to the cluster it was read from.
//!
//! ## Why
//!
//! A cluster hands out cluster addresses and node ports; another cluster has other ranges. But a node
//! port that a person chose is an agreement with something outside, and losing it in a failover
//! loses the traffic. The server records who set a field *before* it allocates, so a node port
//! in `managedFields` or in kubectl's last applied configuration was chosen; Velero reads it the same
//! way. An object without `managedFields` (already stripped, or written by hand) is left as it is.

use serde_json::Value;

use super::json::{annotation, list, list_mut, remove, text};

/// Removes what the cluster allocated. Needs `metadata.managedFields`, so it comes first.
pub(super) fn strip(service: &mut Value) {
    if text(service, "/spec/clusterIP") != Some("None") {
        remove(service, "/spec", "clusterIP");
        remove(service, "/spec", "clusterIPs");
    }
    let Some(chosen) = Chosen::of(service) else { return };
    if !chosen.health_check {
        remove(service, "/spec", "healthCheckNodePort");
    }
    for port in list_mut(service, "/spec/ports") {
        if !chosen.ports.contains(&port_key(port)) {
            remove(port, "", "nodePort");
        }
    }
}

/// Which node ports people chose.
#[derive(Default)]
struct Chosen {
    ports: Vec<(u64, String)>,
    health_check: bool,
}

impl Chosen {
    fn of(service: &Value) -> Option<Self> {
        let managers = service.pointer("/metadata/managedFields")?.as_array()?;
        let mut chosen = Self::default();
        for fields in managers.iter().filter_map(|one| one.pointer("/fieldsV1/f:spec")) {
            chosen.health_check |= fields.get("f:healthCheckNodePort").is_some();
            let ports = fields.get("f:ports").and_then(Value::as_object);
            for (key, of_port) in ports.into_iter().flatten() {
                if of_port.get("f:nodePort").is_some() {
                    chosen.ports.extend(managed_key(key));
                }
            }
        }
        chosen.add_last_applied(service);
        Some(chosen)
    }

    fn add_last_applied(&mut self, service: &Value) {
        let Some(applied) = annotation(service, super::LAST_APPLIED)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
        else {
            return;
        };
        self.health_check |= applied.pointer("/spec/healthCheckNodePort").is_some();
        let ports = list(&applied, "/spec/ports").filter(|port| port.get("nodePort").is_some());
        self.ports.extend(ports.map(port_key));
    }
}

/// What makes a port of a Service the same port: number and protocol.
fn port_key(port: &Value) -> (u64, String) {
    let number = port.get("port").and_then(Value::as_u64).unwrap_or(0);
    (number, text(port, "/protocol").unwrap_or("TCP").to_owned())
}

/// The same from a key of managed fields: `k:{"port":80,"protocol":"TCP"}`.
fn managed_key(key: &str) -> Option<(u64, String)> {
    let port: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
    Some(port_key(&port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(managed: &Value, annotations: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "managedFields": managed, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"],
                     "healthCheckNodePort": 31000, "ports": [
                {"port": 80, "protocol": "TCP", "nodePort": 30080},
                {"port": 53, "protocol": "UDP", "nodePort": 30053},
            ]},
        })
    }

    #[test]
    fn allocated_addresses_and_ports_go() {
        let mut web = service(&json!([]), &json!({}));
        strip(&mut web);
        assert_eq!(
            web["spec"],
            json!({"type": "LoadBalancer", "ports": [
                {"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"},
            ]})
        );
    }

    #[test]
    fn a_node_port_that_somebody_chose_stays() {
        let managed = json!([{"fieldsV1": {"f:spec": {"f:ports": {
            "k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:nodePort": {}, "f:port": {}},
            "k:{\"port\":53,\"protocol\":\"UDP\"}": {"f:port": {}},
        }}}}]);
        let mut by_apply = service(&managed, &json!({}));
        strip(&mut by_apply);
        assert_eq!(by_apply["spec"]["ports"][0]["nodePort"], 30080);
        assert_eq!(by_apply["spec"]["ports"][1].get("nodePort"), None);

        let last = r#"{"spec":{"healthCheckNodePort":31000,"ports":[{"port":53,"protocol":"UDP","nodePort":30053}]}}"#;
        let mut by_kubectl = service(
            &json!([]),
            &json!({"kubectl.kubernetes.io/last-applied-configuration": last}),
        );
        strip(&mut by_kubectl);
        assert_eq!(by_kubectl["spec"]["ports"][0].get("nodePort"), None);
        assert_eq!(by_kubectl["spec"]["ports"][1]["nodePort"], 30053);
        assert_eq!(by_kubectl["spec"]["healthCheckNodePort"], 31000);
    }

    #[test]
    fn a_headless_service_stays_headless() {
        let mut db = json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}});
        strip(&mut db);
        assert_eq!(db["spec"], json!({"clusterIP": "None", "clusterIPs": ["None"]}));
    }
}
