//! Whether pods find room, asked of a real API server about nodes that say real sizes.

use serde_json::{Value, json};

use super::{Lab, SHOP, one_line};

/// A node as its kubelet would register it. The lab's kwok keeps it alive and leaves its sizes alone.
fn join(lab: &Lab, name: &str, cpu: &str, memory: &str) {
    let sizes = json!({ "cpu": cpu, "memory": memory, "pods": "20" });
    let node = json!({ "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "status": { "capacity": sizes, "allocatable": sizes, "nodeInfo": info(),
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z" }] } });
    lab.ask("west", "POST", "/api/v1/nodes", Some(&node)).unwrap();
}

fn info() -> Value {
    let mut info = json!({ "kubeletVersion": "v1.37.2" });
    for field in [
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "containerRuntimeVersion",
        "kubeProxyVersion",
    ] {
        info[field] = "".into();
    }
    info["operatingSystem"] = "linux".into();
    info["architecture"] = "amd64".into();
    info
}

/// The line of the preflight list; it waits until the server says so, because nodes become what they are by
/// controllers.
fn until_said(lab: &Lab, wanted: &str) -> String {
    let mut last = String::new();
    for _ in 0..60 {
        let said = one_line(&lab.expect(0, &["plan", SHOP, "--mode", "failover"]).stdout);
        last = said
            .split_once("capacity west")
            .map_or(said.clone(), |(before, after)| {
                let word = before
                    .split(' ')
                    .rev()
                    .find(|word| !word.is_empty())
                    .unwrap_or_default();
                let end = after.find(" ok ").unwrap_or(after.len());
                format!("{word} capacity west{}", &after[..end])
            });
        if last.contains(wanted) {
            return last;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    panic!("`{wanted}` was not said: {last}");
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_plan_says_whether_its_pods_find_room_on_the_nodes_of_the_standby() {
    let lab = Lab::start();
    lab.expect(0, &["protect", SHOP]);
    let played = until_said(&lab, "only played (kwok)");
    assert!(played.starts_with("checkable capacity west"), "{played}");
    let nodes = lab.ask("west", "GET", "/api/v1/nodes", None).unwrap();
    let names: Vec<String> = nodes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap()))
        .collect();
    for node in &names {
        let cordon = json!({ "spec": { "unschedulable": true } });
        lab.ask("west", "PATCH", node, Some(&cordon)).unwrap();
    }
    let none = until_said(&lab, "no node takes a pod now (2 cordoned)");
    assert!(none.starts_with("warn "), "{none}");
    join(&lab, "small", "100m", "96Mi");
    let small = until_said(&lab, "free on 1 of 3 nodes (others: 2 cordoned)");
    assert!(
        small.starts_with("warn ") && small.contains("too little"),
        "{small}"
    );
    join(&lab, "large", "8", "16Gi");
    let large = until_said(&lab, "free on 2 of 4 nodes (others: 2 cordoned)");
    assert!(
        large.starts_with("ok ") && !large.contains("too little"),
        "{large}"
    );
    for node in names
        .iter()
        .map(String::as_str)
        .chain(["/api/v1/nodes/small", "/api/v1/nodes/large"])
    {
        lab.ask("west", "DELETE", node, None).unwrap();
    }
    let gone = until_said(&lab, "the API server names no node");
    assert!(gone.starts_with("checkable "), "{gone}");
    println!("{played}\n{none}\n{small}\n{large}\n{gone}");
}
