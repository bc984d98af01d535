//! A provider program for the tests: it keeps a ledger of everything it ever did in a file, and
//! fails in every way it is told to.
//!
//! `fake-provider FOLDER`: `FOLDER/ledger` has one line for each effect, `FOLDER/faults.json` says
//! how to fail and is read again for every request.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test that cannot go on fails"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many things one page has.
const PAGE: usize = 3;

struct Fake {
    folder: PathBuf,
    /// Things by kind and id.
    things: BTreeMap<(String, String), Value>,
    /// Results by request key; null for something taken away.
    keys: BTreeMap<String, Value>,
    made: usize,
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder"));
    let mut fake = Fake::open(&folder);
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let faults = faults(&folder);
        let answer = match request["method"].as_str().unwrap() {
            "hello" => Ok(json!({
                "protocol": "partnerctl.dev/provider/v1", "name": "fake",
                "requestKeys": faults["requestKeys"].as_str().unwrap_or("durable"),
                "kinds": ["Customer", "Subscription", "Budget", "Reservation", "RoleAssignment",
                    "ReservationPermission", "PartnerUser"],
            })),
            "observe" => fake.observe(&request["params"], &faults),
            "lookup" => fake.lookup(&request["params"], &faults),
            "perform" => fake.perform(&request["params"], &faults),
            other => Err(json!({"code": "unsupported", "message": other})),
        };
        let mut response = json!({"id": request["id"]});
        match answer {
            Ok(result) => response["result"] = result,
            Err(error) => response["error"] = error,
        }
        if response["error"]["code"] == "hang" {
            continue;
        }
        println!("{response}");
        std::io::stdout().flush().unwrap();
    }
}

fn faults(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("faults.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

impl Fake {
    fn open(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut fake = Self {
            folder: folder.to_owned(),
            things: BTreeMap::new(),
            keys: BTreeMap::new(),
            made: 0,
        };
        let ledger = std::fs::read_to_string(folder.join("ledger")).unwrap_or_default();
        for line in ledger.lines() {
            fake.take_in(&serde_json::from_str(line).unwrap());
        }
        fake
    }

    /// The next number of a counter that lives as long as the folder.
    fn count(&self, name: &str) -> usize {
        let path = self.folder.join(name);
        let number: usize = std::fs::read_to_string(&path).unwrap_or_default().parse().unwrap_or(0);
        std::fs::write(&path, (number + 1).to_string()).unwrap();
        number
    }

    fn take_in(&mut self, entry: &Value) {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let at = (text("kind"), text("externalId"));
        self.made += 1;
        for more in entry["also"].as_array().into_iter().flatten() {
            let at = ["kind", "externalId"].map(|key| more[key].as_str().unwrap().to_owned());
            self.things.insert(at.into(), more.clone());
        }
        if entry["thing"].is_null() {
            self.things.remove(&at);
        } else {
            self.things.insert(at, entry["thing"].clone());
        }
        self.keys.insert(text("key"), entry["thing"].clone());
    }

    fn effect(&mut self, entry: &Value) {
        let path = self.folder.join("ledger");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{entry}\n").as_bytes()).unwrap();
        self.take_in(entry);
    }

    fn observe(&self, params: &Value, faults: &Value) -> Result<Value, Value> {
        let fault = faults["observe"].as_str().unwrap_or_default();
        if fault == "fail" {
            return Err(json!({"code": "transient", "message": "closed for lunch"}));
        }
        let mut all: Vec<&Value> = self.things.values().collect();
        if fault == "lie" {
            // Says, and means it, that half of it is not there.
            all.truncate(all.len() / 2);
        }
        let at: usize = params["page"].as_str().map_or(0, |page| page.parse().unwrap());
        let mut items: Vec<&Value> = all.iter().skip(at).take(PAGE).copied().collect();
        if fault == "losePage" && at == 0 {
            items.clear();
        }
        if fault == "twice" && at == 0 && !items.is_empty() {
            items.push(items[0]);
        }
        let snapshot = if fault == "torn" { self.count("snapshots") } else { self.made };
        let next = (at + PAGE < all.len()).then(|| (at + PAGE).to_string());
        Ok(
            json!({"snapshot": snapshot.to_string(), "total": all.len(), "items": items, "next": next}),
        )
    }

    fn lookup(&self, params: &Value, faults: &Value) -> Result<Value, Value> {
        let fault = faults["lookup"].as_str().unwrap_or_default();
        if fault == "unsupported" {
            return Err(json!({"code": "unsupported"}));
        }
        if fault == "fail" {
            return Err(json!({"code": "transient", "message": "closed for lunch"}));
        }
        if params["by"] == "requestKey" {
            let forgets = faults["forgetKeys"] == true || faults["requestKeys"] == "none";
            let known = self.keys.get(params["requestKey"].as_str().unwrap());
            return Ok(match known.filter(|_| !forgets) {
                Some(thing) => json!({"outcome": "performed", "thing": thing}),
                None if faults["requestKeys"] == "none" => json!({"outcome": "unknown"}),
                None => json!({"outcome": "notPerformed"}),
            });
        }
        let fits = |thing: &&Value| {
            thing["kind"] == params["kind"]
                && (params["externalId"].is_null() || thing["externalId"] == params["externalId"])
                && (params["spec"].is_null()
                    || ["offer", "product"]
                        .iter()
                        .all(|what| thing["spec"][what] == params["spec"][what]))
        };
        let mut items: Vec<&Value> = self.things.values().filter(fits).collect();
        if fault == "lie" {
            items.clear();
        }
        Ok(json!({"items": items}))
    }

    /// Acts, or fails before, after, or in the middle of it.
    fn perform(&mut self, params: &Value, faults: &Value) -> Result<Value, Value> {
        let modes = faults["perform"].as_array().cloned().unwrap_or_default();
        let mode = if modes.is_empty() {
            Value::Null
        } else {
            let number = self.count("performs");
            // Spread without a pattern that fits the order of calls.
            let spread = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            modes[spread as usize % modes.len()].clone()
        };
        if faults["throttle"] == params["action"] {
            return Err(
                json!({"code": "throttled", "message": "slow down", "retryAfterSeconds": 60}),
            );
        }
        if faults["refuse"] == params["action"] {
            return Err(json!({"code": "refused", "message": "not today"}));
        }
        let error = |code: &str| Err(json!({"code": code, "message": format!("told to: {code}")}));
        match mode.as_str().unwrap_or("ok") {
            "throttled" => {
                return Err(
                    json!({"code": "throttled", "message": "slow down", "retryAfterSeconds": 0}),
                );
            }
            code @ ("transient" | "refused" | "conflict" | "unknown" | "hang") => {
                return error(code);
            }
            "dieBefore" => std::process::exit(3),
            _ => {}
        }
        let done = self.act(params, faults);
        match mode.as_str().unwrap_or("ok") {
            "unknownAfter" => error("unknown"),
            "hangAfter" => error("hang"),
            "slow" => {
                std::thread::sleep(Duration::from_millis(300));
                done
            }
            "dieAfter" => {
                eprintln!("out of memory, as it were");
                std::process::exit(3);
            }
            "garbageAfter" => {
                println!("Traceback (most recent call last):");
                done
            }
            "cutAfter" => {
                print!("{{\"id\": 1, \"result\": {{\"thi");
                std::io::stdout().flush().unwrap();
                std::process::exit(0);
            }
            "emptyAfter" => Ok(json!({})),
            "otherIdAfter" => {
                let mut done = done?;
                let other = self.things.values().find(|t| t["kind"] == params["kind"]);
                done["thing"]["externalId"] = other.map_or(json!("x"), |o| o["externalId"].clone());
                Ok(done)
            }
            _ => done,
        }
    }

    fn act(&mut self, params: &Value, faults: &Value) -> Result<Value, Value> {
        let text = |key: &str| params[key].as_str().unwrap_or_default().to_owned();
        let (key, kind) = (text("requestKey"), text("kind"));
        let forgets = faults["forgetKeys"] == true || faults["requestKeys"] == "none";
        if let Some(thing) = self.keys.get(&key).filter(|_| !forgets) {
            return Ok(json!({"thing": thing}));
        }
        let external_id = match params["externalId"].as_str() {
            Some(id) => id.to_owned(),
            None => format!("{}-{}", kind.to_lowercase(), self.made + 1),
        };
        let there = self.things.get(&(kind.clone(), external_id.clone())).cloned();
        let mut spec = params["after"].clone();
        if kind == "Reservation" {
            worse(&spec, faults)?;
        }
        match (params["action"].as_str().unwrap(), &there) {
            ("create", _) if kind == "Customer" => {
                let invited = spec["onboarding"] == "Invite";
                spec["relationship"] = if invited { "Pending" } else { "Granted" }.into();
            }
            ("create", _) if kind == "Subscription" => {
                spec["purchasedAt"] = bought_at(faults).into();
            }
            ("create", _) if kind == "Reservation" => {
                order(&mut spec, &external_id, faults);
            }
            ("create", _) => {}
            ("delete", None) => return Ok(json!({"thing": null})),
            ("update", None) => {
                return Err(json!({"code": "conflict", "message": "it is not there"}));
            }
            ("update", Some(there)) if there["spec"] == spec => return Ok(json!({"thing": there})),
            _ => {}
        }
        let mut thing =
            json!({"kind": kind, "externalId": external_id, "name": text("name"), "spec": spec});
        if faults["tags"] == true {
            thing["requestKey"] = key.clone().into();
        }
        if params["action"] == "delete" {
            thing = Value::Null;
        }
        // The new one and the end of those in whose place it comes are one effect.
        let also: Vec<Value> = match params["action"].as_str() {
            Some("create") if faults["apart"] != true => self.exchanged(&params["after"]),
            _ => Vec::new(),
        };
        self.effect(&json!({"key": key, "also": also, "action": params["action"], "kind": kind,
            "externalId": external_id, "name": params["name"], "thing": thing}));
        Ok(json!({"thing": thing}))
    }

    /// What a new reservation takes the place of, as it is then.
    fn exchanged(&self, new: &Value) -> Vec<Value> {
        let from = new["exchange"]["from"].as_array().into_iter().flatten();
        let old = from.filter_map(|old| {
            let id = old["external"].as_str()?.to_owned();
            let mut old = self.things.get(&("Reservation".to_owned(), id))?.clone();
            old["spec"]["state"] = "Exchanged".into();
            Some(old)
        });
        old.collect()
    }
}

/// Refuses what costs more, or gives back less, than it was asked for.
fn worse(after: &Value, faults: &Value) -> Result<(), Value> {
    let cents = |text: &str| text.replace('.', "").parse::<u64>().unwrap();
    let refused = |message: String| Err(json!({"code": "refused", "message": message}));
    if let (Some(now), Some(asked)) = (faults["price"].as_str(), after["price"]["amount"].as_str())
        && after["state"] == "Active"
        && cents(now) > cents(asked)
    {
        return refused(format!("it costs {now} now, and {asked} was to be paid"));
    }
    let asked = after["refund"].as_str().and_then(|text| text.split(' ').next());
    if let (Some(now), Some(asked)) = (faults["refund"].as_str(), asked)
        && cents(now) < cents(asked)
    {
        return refused(format!("{now} would come back, and {asked} was asked for"));
    }
    Ok(())
}

/// When something is bought: now, unless told otherwise.
fn bought_at(faults: &Value) -> String {
    let now = || chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    faults["bought"].as_str().map_or_else(now, str::to_owned)
}

/// What only the outside knows of a new reservation. Its term begins on the day it is bought.
fn order(spec: &mut Value, external_id: &str, faults: &Value) {
    spec["purchasedAt"] = bought_at(faults).into();
    spec["reservationId"] = external_id.into();
    spec["orderId"] = format!("order-of-{external_id}").into();
    spec["buyer"] = "partner".into();
    spec["payer"] = "partner".into();
}
