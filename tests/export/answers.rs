//! Each table says what the command says that answers the same question.

use std::fs;

use serde_json::{Value, json};
use vnetkvm::export::Column;

use super::{FILES, answer, built, exported, scenario, succeeds, vnetkvm};

/// What a cell of this column has for this value of an answer.
fn cell(column: &Column, value: &Value) -> Value {
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    match value {
        Value::String(text) if column.kind.name() == "unsigned" => json!(number(text).unwrap()),
        Value::Array(all) if all.is_empty() => Value::Null,
        Value::Array(all) => {
            let texts: Vec<&str> = all.iter().map(|text| text.as_str().unwrap()).collect();
            json!(texts.join(","))
        }
        Value::Object(object) if object.contains_key("error") => Value::Null,
        value => value.clone(),
    }
}

/// Compares columns of rows with places in the elements of an answer.
#[track_caller]
fn compare(table: &str, rows: &[Value], elements: &[Value], places: &[(&str, &str)]) {
    let table = vnetkvm::export::table_named(table).unwrap();
    assert!(!elements.is_empty());
    assert_eq!(rows.len(), elements.len(), "{}", table.name);
    for (row, element) in rows.iter().zip(elements) {
        for (column, place) in places {
            let known = table.columns.iter().find(|it| it.name == *column);
            let expected = cell(known.unwrap(), element.pointer(place).unwrap_or(&Value::Null));
            assert_eq!(row[column], expected, "{}.{column} of {element}", table.name);
        }
    }
}

/// The elements of an answer about all vnets, each with its vnet.
fn of_all_vnets(answer: &Value, array: &str) -> Vec<Value> {
    let vnets = answer["vnets"].as_array().unwrap();
    let elements = vnets.iter().flat_map(|vnet| {
        vnet[array].as_array().unwrap().iter().map(|element| {
            let mut element = element.clone();
            element["vnet"] = vnet["vnet"].clone();
            element
        })
    });
    elements.collect()
}

const VNET: [(&str, &str); 2] = [("vnet", "/vnet/index"), ("vnet_address", "/vnet/address")];

#[test]
fn tables_say_what_the_commands_say() {
    let image = built(&scenario("trouble.toml"));
    let at = image.path();
    succeeds(&[&FILES[..], &["export", "-o", "exports"]].concat(), at);
    let ask = |words: &[&str]| answer(&[&FILES[..], words].concat(), at);
    let host = ask(&["info"])["info"]["host"].as_str().unwrap().to_owned();
    let read = |table: &str| exported(at, table, &format!("host={host}/dump=vmcore.0"));
    compare(
        "vnets",
        &read("vnets"),
        ask(&["vnets"])["vnets"].as_array().unwrap(),
        &[
            ("vnet", "/index"),
            ("vnet_address", "/address"),
            ("is_default", "/default"),
            ("listed", "/listed"),
            ("magic", "/magic"),
            ("state", "/state/value"),
            ("state_name", "/state/name"),
            ("state_meaning", "/state/meaning"),
            ("shutdown", "/shutdown"),
            ("ifcnt", "/ifcnt"),
            ("sockcnt", "/sockcnt"),
            ("data_mem", "/data_mem"),
            ("data_base", "/data_base"),
        ],
    );
    compare(
        "jails",
        &read("jails"),
        ask(&["jails"])["jails"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("jid", "/jid"),
            ("name", "/name"),
            ("address", "/address"),
            ("parent", "/parent"),
            ("own_vnet", "/own_vnet"),
            ("state", "/state"),
            ("path", "/path"),
            ("hostname", "/hostname"),
            ("flags", "/flags"),
            ("allow", "/allow"),
            ("refs", "/references"),
            ("user_refs", "/user_references"),
            ("processes", "/processes"),
        ],
    );
    compare(
        "interfaces",
        &read("interfaces"),
        &of_all_vnets(&ask(&["interfaces", "--all-vnets"]), "interfaces"),
        &[
            VNET[0],
            VNET[1],
            ("name", "/name"),
            ("if_index", "/index"),
            ("address", "/address"),
            ("driver", "/driver"),
            ("flags", "/flags"),
            ("flag_names", "/flag_names"),
            ("mtu", "/mtu"),
            ("link_state", "/link_state"),
            ("ether", "/ether"),
            ("description", "/description"),
            ("groups", "/groups"),
            ("if_vnet", "/if_vnet/index"),
            ("home_vnet_address", "/home_vnet/address"),
            ("ipackets", "/ipackets"),
            ("obytes", "/obytes"),
            ("noproto", "/noproto"),
        ],
    );
    compare(
        "threads",
        &read("threads"),
        ask(&["threads", "--all"])["threads"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("tid", "/tid"),
            ("name", "/name"),
            ("pid", "/pid"),
            ("command", "/command"),
            ("jid", "/jail/jid"),
            ("jail", "/jail/name"),
            ("state", "/state"),
            ("wchan", "/wchan"),
            ("cpu", "/cpu"),
            ("curvnet_address", "/curvnet/address"),
            ("curvnet_condition", "/curvnet_condition"),
            ("compared", "/compared"),
            ("dumping", "/dumping"),
        ],
    );
    compare(
        "modules",
        &read("modules"),
        ask(&["modules"])["modules"].as_array().unwrap(),
        &[
            ("id", "/id"),
            ("name", "/name"),
            ("address", "/address"),
            ("size", "/size"),
            ("set_vnet_address", "/set_vnet/address"),
            ("set_vnet_size", "/set_vnet/size"),
            ("variables", "/variables"),
        ],
    );
    let checks = vnetkvm(&[&FILES[..], &["check", "--json"]].concat(), at).stdout;
    let checks: Value = serde_json::from_slice(&checks).unwrap();
    compare(
        "checks",
        &read("checks"),
        checks["checks"].as_array().unwrap(),
        &[
            VNET[0],
            VNET[1],
            ("name", "/name"),
            ("verdict", "/verdict"),
            ("message", "/message"),
            ("addresses", "/addresses"),
        ],
    );
    let counters = of_all_vnets(&ask(&["counters", "--all-vnets"]), "counters");
    let counters: Vec<Value> = counters
        .iter()
        .flat_map(|of| of["members"].as_array().unwrap().iter().map(move |it| json!([of, it])))
        .collect();
    compare(
        "counters",
        &read("counters"),
        &counters,
        &[
            ("vnet", "/0/vnet/index"),
            ("vnet_address", "/0/vnet/address"),
            ("variable", "/0/name"),
            ("counter", "/1/name"),
            ("type", "/0/type"),
            ("value", "/1/value"),
        ],
    );
    let (info, triaged) = (ask(&["info"]), answer(&["-N", "kernel", "triage", "vmcore.0"], at));
    compare(
        "dumps",
        &read("dumps"),
        &[json!([info["info"], triaged["dumps"][0]])],
        &[
            ("path", "/0/core/path"),
            ("size", "/0/core/size"),
            ("format", "/0/core/format"),
            ("architecture", "/0/core/arch"),
            ("panic", "/0/panic"),
            ("version", "/1/version"),
            ("ident", "/0/kernel/ident"),
            ("osreldate", "/0/kernel/osreldate"),
            ("build_id", "/0/kernel/build_id"),
            ("belongs", "/0/kernel/belongs/verdict"),
            ("vnets", "/0/vnets"),
            ("jails", "/0/jails"),
            ("variables", "/0/variables"),
            ("signature", "/1/signature"),
            ("crash_function", "/1/stack/0"),
            ("crash_stack", "/1/stack"),
            ("crash_tid", "/1/thread/tid"),
            ("crash_vnet_address", "/1/thread/curvnet/address"),
        ],
    );
}

#[test]
fn sockets_and_addresses_are_those_of_all_vnets() {
    let image = built(&scenario("sockets.toml"));
    let at = image.path();
    let words = ["export", "-o", "exports", "--host", "h", "--tables", "sockets,addresses"];
    succeeds(&[&FILES[..], &words].concat(), at);
    let tables = fs::read_dir(at.join("exports")).unwrap().count();
    assert_eq!(tables, 2, "only these are written");
    let ask = |words: &[&str]| answer(&[&FILES[..], words].concat(), at);
    compare(
        "sockets",
        &exported(at, "sockets", "host=h/dump=vmcore.0"),
        &of_all_vnets(&ask(&["sockets", "--all-vnets"]), "sockets"),
        &[
            VNET[0],
            VNET[1],
            ("protocol", "/protocol"),
            ("state", "/state"),
            ("local", "/local"),
            ("remote", "/remote"),
            ("recv_queue", "/recv_queue"),
            ("listen_complete", "/listen_queue/complete"),
            ("listen_incomplete", "/listen_queue/incomplete"),
            ("listen_limit", "/listen_queue/limit"),
            ("pcb", "/pcb"),
            ("socket", "/socket"),
            ("jid", "/jail/jid"),
            ("dropped", "/dropped"),
        ],
    );
    let interfaces = of_all_vnets(&ask(&["interfaces", "--all-vnets"]), "interfaces");
    let addresses: Vec<Value> = interfaces
        .iter()
        .flat_map(|of| {
            of["address_details"].as_array().unwrap().iter().map(move |it| json!([of, it]))
        })
        .collect();
    compare(
        "addresses",
        &exported(at, "addresses", "host=h/dump=vmcore.0"),
        &addresses,
        &[
            ("vnet", "/0/vnet/index"),
            ("interface", "/0/name"),
            ("family", "/1/family"),
            ("address", "/1/address"),
            ("prefix", "/1/prefix"),
            ("zone", "/1/zone"),
            ("broadcast", "/1/broadcast"),
            ("flags", "/1/flags"),
        ],
    );
}

/// The scalars of a value in JSON, with their paths: signed, unsigned, text, elements left out.
fn scalars(value: &Value, path: &str, most: usize, out: &mut Vec<(String, [Value; 4])>) {
    const NULL: Value = Value::Null;
    let mut add = |cells| out.push((path.to_owned(), cells));
    let numbers = |value: &Value| [json!(value.as_i64()), json!(value.as_u64())];
    let with_text = |[signed, unsigned]: [Value; 2], text: Value| [signed, unsigned, text, NULL];
    let pointer = |text: &Value| json!(u64::from_str_radix(&text.as_str().unwrap()[2..], 16).ok());
    match value {
        Value::Number(number) if number.is_f64() => {
            add([NULL, NULL, json!(number.as_f64().unwrap().to_string()), NULL]);
        }
        Value::Number(_) => add(with_text(numbers(value), NULL)),
        Value::Bool(yes) => add(with_text(numbers(&json!(u8::from(*yes))), NULL)),
        Value::String(text) if text.starts_with("0x") => add([NULL, pointer(value), NULL, NULL]),
        Value::String(_) => add([NULL, NULL, value.clone(), NULL]),
        Value::Array(all) if all.len() > most => add([NULL, NULL, NULL, json!(all.len())]),
        Value::Array(all) => {
            for (index, element) in all.iter().enumerate() {
                scalars(element, &format!("{path}[{index}]"), most, out);
            }
        }
        Value::Object(it) if it.contains_key("error") => add([NULL, NULL, NULL, NULL]),
        Value::Object(it) if it.contains_key("enum") => {
            add(with_text(numbers(&it["value"]), it["enum"].clone()));
        }
        Value::Object(it) if it.contains_key("counter") => {
            add(with_text(numbers(&it["counter"]), NULL));
        }
        Value::Object(it) if it.contains_key("pointer") => {
            add([NULL, pointer(&it["pointer"]), NULL, NULL]);
        }
        Value::Object(it) if it.len() == 1 && it.get("bytes").is_some_and(Value::is_string) => {
            let count = it["bytes"].as_str().unwrap().len() / 2;
            match count > most {
                true => add([NULL, NULL, NULL, json!(count)]),
                false => add([NULL, NULL, it["bytes"].clone(), NULL]),
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let joint = if path.is_empty() { "" } else { "." };
                scalars(member, &format!("{path}{joint}{name}"), most, out);
            }
        }
        Value::Null => panic!("no value of a variable is null"),
    }
}

/// How many of these scalars are counters that the kernel has not allocated.
fn without_memory(value: &Value, most: usize) -> usize {
    let within = |value| without_memory(value, most);
    match value {
        Value::Array(all) if all.len() <= most => all.iter().map(within).sum(),
        Value::Object(it) if it.contains_key("error") => {
            usize::from(it["error"]["kind"] == "unallocated")
        }
        Value::Object(members) => members.values().map(within).sum(),
        _ => 0,
    }
}

#[test]
fn variables_are_taken_apart_into_scalars() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let host = "host=gw.example.org/dump=vmcore.0";
    for most in [64, 3] {
        let most_text = most.to_string();
        let words = ["export", "-o", "exports", "--tables", "variables,errors", "--max-elements"];
        succeeds(&[&FILES[..], &words, &[&most_text]].concat(), at);
        let told = answer(&[&FILES[..], &["vars", "--all-vnets"]].concat(), at);
        let told = of_all_vnets(&told, "variables");
        // Members of a JSON object have lost their order.
        let mut expected = Vec::new();
        for variable in &told {
            let mut parts = Vec::new();
            scalars(&variable["value"], "", most, &mut parts);
            let start = [&variable["vnet"]["index"], &variable["name"], &variable["file"]];
            let start = start.map(Value::to_string).join(" ");
            expected.extend(parts.into_iter().map(|part| (start.clone(), part)));
        }
        let rows = exported(at, "variables", host);
        let columns = ["value_signed", "value_unsigned", "value_text", "left_out"];
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| {
                let start = ["vnet", "name", "file"].map(|name| row[name].to_string()).join(" ");
                let path = row["path"].as_str().unwrap().to_owned();
                let mut cells = columns.map(|name| row[name].clone());
                // What a pointer leads to is not in all of the JSON.
                if cells[0].is_null() && !cells[1].is_null() {
                    cells[2] = Value::Null;
                }
                (start, (path, cells))
            })
            .collect();
        expected.sort_by_key(|part| format!("{part:?}"));
        found.sort_by_key(|part| format!("{part:?}"));
        let different = expected.iter().zip(&found).find(|(one, other)| one != other);
        assert_eq!(different, None, "at most {most} elements");
        assert_eq!(expected.len(), found.len());
        assert!(found.len() > 3000);
        // What could not be read has the reason in `errors`, and nothing else has.
        let is_null = |row: &&Value| columns.iter().all(|name| row[name].is_null());
        let errors = exported(at, "errors", host);
        let of_values = errors.iter().filter(|row| row["table_name"] == "variables");
        let without: usize = told.iter().map(|it| without_memory(&it["value"], most)).sum();
        assert!(without > 0);
        assert_eq!(of_values.count() + without, rows.iter().filter(is_null).count());
    }
    // The scenario sets this in web01.
    let rows = exported(at, "variables", host);
    let ttl = |vnet: u64| {
        let is_it = |row: &&Value| row["name"] == "ip_defttl" && row["vnet"] == vnet;
        rows.iter().find(is_it).unwrap()["value_signed"].clone()
    };
    assert_eq!([ttl(0), ttl(1), ttl(2)], [64, 42, 128]);
}

#[test]
fn sysctls_of_no_vnet_are_there_once() {
    let image = built(&scenario("demo.toml"));
    let at = image.path();
    let words = ["export", "-o", "exports", "--tables", "sysctls"];
    succeeds(&[&FILES[..], &words].concat(), at);
    let rows = exported(at, "sysctls", "host=gw.example.org/dump=vmcore.0");
    let named = |name: &str| -> Vec<[Value; 3]> {
        let rows = rows.iter().filter(|row| row["name"] == name);
        rows.map(|row| ["vnet", "value_signed", "value_text"].map(|it| row[it].clone())).collect()
    };
    let null = Value::Null;
    assert_eq!(named("kern.ostype"), [[null.clone(), null.clone(), json!("FreeBSD")]]);
    let ttl = |vnet: u64, ttl: u64| [json!(vnet), json!(ttl), null.clone()];
    assert_eq!(named("net.inet.ip.ttl"), [ttl(0, 64), ttl(1, 42), ttl(2, 128)]);
}
