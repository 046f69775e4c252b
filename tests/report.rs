//! Reports: that they have what they should, that they are whole documents, and that nothing in a
//! dump is more than text in them.

#![cfg(feature = "cli")]

mod report_images;

use std::fs;

use report_images::{
    HOSTILE, build_file, fixture, hostile, many_vnets, report, report_of, vnetkvm,
};
use scraper::{Html, Selector};
use vnetkvm::answers::report::SECTIONS;

fn demo(words: &[&str]) -> String {
    let output = vnetkvm(&[&["--demo", "report"], words].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text of all elements that a selector finds.
fn texts(page: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).map(|element| element.text().collect()).collect()
}

/// A document, as another program understands it.
#[track_caller]
fn parse(html: &str) -> Html {
    let page = Html::parse_document(html);
    assert_eq!(page.errors, Vec::<String>::new());
    page
}

#[test]
fn all_sections_are_there_in_order_in_both_forms() {
    let titles: Vec<String> = SECTIONS.iter().map(|section| section.title.to_owned()).collect();
    let page = parse(&demo(&[]));
    assert_eq!(texts(&page, "main section h2"), titles);
    assert_eq!(texts(&page, "nav a"), titles);
    let targets: Vec<String> = page
        .select(&Selector::parse("nav a").unwrap())
        .map(|link| link.attr("href").unwrap().to_owned())
        .collect();
    for target in targets {
        assert_eq!(texts(&page, &target).len(), 1, "{target}");
    }
    let markdown = demo(&["--format", "markdown"]);
    let headings = markdown.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(headings.collect::<Vec<_>>(), titles);
}

#[test]
fn it_begins_with_the_panic_the_crashed_thread_and_its_vnet_and_jail() {
    let page = parse(&demo(&[]));
    assert_eq!(texts(&page, "h1"), ["panic: tcp_usr_send: inp == NULL"]);
    let summary = texts(&page, "#summary").concat();
    for part in [
        "thread 100003 of process 901 (nginx), jail web01",
        "vnet 1 (0xfffff80000621040), the crashing thread's vnet",
        "tcp_usr_send_one (td=0xfffff80000636800) at netinet/tcp_usrreq.c:13 [inlined] [vnet 1]",
        "yes: same version[], same build-id, same constants",
    ] {
        assert!(summary.contains(part), "{part}:\n{summary}");
    }
    let markdown = demo(&["--format", "markdown"]);
    assert!(markdown.starts_with("# `panic: tcp_usr_send: inp == NULL`\n"), "{markdown}");
    assert!(markdown.contains("\n| 1 | 0xfffff80000621040 | up | - | 2 | 3 | "), "{markdown}");
}

#[test]
fn nothing_is_fetched_and_only_the_script_and_the_style_of_the_program_may_run() {
    let html = demo(&[]);
    let page = parse(&html);
    let policy = Selector::parse("meta[http-equiv]").unwrap();
    let policy = page.select(&policy).next().unwrap().attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(texts(&page, "script").len(), 1);
    let all = Selector::parse("[src], [href]").unwrap();
    for element in page.select(&all) {
        let value = element.value();
        let target = value.attr("src").or(value.attr("href")).unwrap();
        let inside = target.starts_with('#') || target.starts_with("data:image/svg+xml;");
        assert!(inside, "{target}");
    }
    // The name of the namespace is the only address in it.
    let addresses = html.matches("http").count() - html.matches("http-equiv").count();
    assert_eq!(
        addresses,
        html.matches("http:%2F%2F").count() + html.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn pictures_say_in_words_what_they_show() {
    let page = parse(&demo(&[]));
    let images = Selector::parse("img").unwrap();
    let alt: Vec<&str> = page.select(&images).map(|image| image.attr("alt").unwrap()).collect();
    assert_eq!(
        alt,
        [
            "A drawing of 3 vnets with 8 interfaces and 2 ties between them. The text below says \
             the same.",
            "A time line of 3 vnets. The text below says the same.",
            "A bar of 32768 bytes with the regions of the table below.",
        ]
    );
}

#[test]
fn parts_with_faults_are_open_and_the_others_are_folded() {
    let directory = tempfile::tempdir().unwrap();
    let network = fixture("scenarios/network.toml");
    let html = report(&build_file(&network, directory.path()), &[]);
    let page = parse(&html);
    let open = texts(&page, "#interfaces details[open] summary");
    assert_eq!(open.len(), 2, "{open:?}");
    assert!(open[1].ends_with(": sick"), "{open:?}");
    let faults = texts(&page, "#interfaces details[open] .fault");
    assert!(faults.iter().any(|fault| fault.contains("em9: ")), "{faults:?}");
    let folded = texts(&page, "#interfaces details:not([open]) summary");
    assert_eq!(folded.len(), 2, "{folded:?}");
    assert_eq!(texts(&page, "#interfaces details:not([open]) .fault"), Vec::<String>::new());
}

#[test]
fn a_vnet_that_is_being_torn_down_has_its_functions() {
    let directory = tempfile::tempdir().unwrap();
    let machinery = fixture("scenarios/machinery.toml");
    let page = parse(&report(&build_file(&machinery, directory.path()), &[]));
    let lines = texts(&page, "#construction > pre").concat();
    assert!(lines.contains("dying (being removed): tearing-down"), "{lines}");
    let parts = texts(&page, "#construction details").concat();
    assert!(parts.contains("vnet_loif_uninit"), "{parts}");
}

#[test]
fn hostile_names_stay_text_in_html() {
    let directory = tempfile::tempdir().unwrap();
    let html = report(&hostile(directory.path()), &[]);
    let page = parse(&html);
    assert_eq!(texts(&page, "script").len(), 1);
    assert_eq!(texts(&page, "h1").len(), 1);
    assert_eq!(
        texts(&page, "svg, b:not(.fault b, .problem b, .warning b), i"),
        Vec::<String>::new()
    );
    let images = Selector::parse("img").unwrap();
    for image in page.select(&images) {
        assert!(image.attr("src").unwrap().starts_with("data:image/svg+xml;"));
        assert_eq!(image.attr("onerror"), None);
    }
    assert!(!html.contains('\u{202e}'), "a character that reorders others");
    let jails = texts(&page, "#jails td").join("\n");
    for name in HOSTILE {
        let name = name.replace('.', "").replace('\u{202e}', "\\u202e");
        assert!(jails.contains(&name), "{name}:\n{jails}");
    }
    assert_eq!(texts(&page, "title"), [format!("panic: {}", HOSTILE[1])]);
}

#[test]
fn hostile_names_stay_text_in_markdown() {
    let directory = tempfile::tempdir().unwrap();
    let markdown = report(&hostile(directory.path()), &["--format", "markdown"]);
    assert!(!markdown.contains('\u{202e}'));
    let mut in_code = None;
    let mut columns = 0;
    for line in markdown.lines() {
        if let Some(fence) = in_code {
            in_code = Some(fence).filter(|fence| line != *fence);
            continue;
        }
        if line.starts_with("```") {
            in_code = Some(line.trim_end_matches("text"));
            continue;
        }
        // Outside of code spans nothing is left of the names.
        let outside = outside_code(line);
        assert!(!outside.contains(['<', '@', '[', '~']), "{line}\n{outside}");
        let bars = outside.matches('|').count();
        match line.starts_with('|') {
            true if columns > 0 => assert_eq!(bars, columns, "{line}"),
            true => columns = bars,
            false => columns = 0,
        }
    }
    assert_eq!(in_code, None, "a code block has no end");
}

/// A line without its code spans, whose ends are as many backticks as their beginnings.
fn outside_code(line: &str) -> String {
    let mut line = line.replace("<code>", "").replace("</code>", "").replace("\\|", "");
    while let Some(start) = line.find('`') {
        let len = line[start..].len() - line[start..].trim_start_matches('`').len();
        let fence = "`".repeat(len);
        let rest = &line[start + len..];
        let ends = rest.match_indices(&fence).map(|(at, _)| at);
        let is_whole =
            |at: &usize| !rest[..*at].ends_with('`') && !rest[at + len..].starts_with('`');
        let end = ends.into_iter().find(is_whole).unwrap_or_else(|| panic!("no end: {line}"));
        line.replace_range(start..start + len + end + len, "");
    }
    line
}

#[test]
fn a_hundred_vnets_have_room_and_the_rest_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let built = many_vnets(100, directory.path());
    for format in ["html", "markdown"] {
        let text = report(&built, &["--format", format]);
        assert!(text.len() < 2_000_000, "{format}: {} bytes", text.len());
        assert!(text.contains("jail0099"), "{format}");
    }
    let page = parse(&report(&built, &[]));
    assert_eq!(texts(&page, "#vnets tbody tr").len(), 100);
    assert_eq!(texts(&page, "#interfaces details").len(), 100);
    // A row for each address: the host has as many interfaces as half of the others, and is not
    // cut for it.
    assert_eq!(texts(&page, "#interfaces tbody tr").len(), 99 + 3 * 99);
    assert!(!texts(&page, "#interfaces .note").concat().contains("left out"));
}

#[test]
fn other_kernels_and_damaged_dumps_have_a_report_too() {
    let directory = tempfile::tempdir().unwrap();
    let built = build_file(&fixture("scenarios/plain.toml"), &directory.path().join("plain"));
    let page = parse(&report(&built, &[]));
    assert!(texts(&page, "#vnets").concat().contains("VIMAGE"));
    assert_eq!(texts(&page, "#interfaces summary"), ["the network stack"]);

    let demo = build_file(&fixture("scenarios/demo.toml"), &directory.path().join("demo"));
    let (kernel, core) = (demo.join("kernel"), demo.join("vmcore.minidump-v2"));
    let bytes = fs::read(&core).unwrap();
    let cut = directory.path().join("cut");
    for part in [7, 8, 9] {
        fs::write(&cut, &bytes[..bytes.len() * part / 10]).unwrap();
        let html = report_of(kernel.to_str().unwrap(), cut.to_str().unwrap(), &[]);
        let page = parse(&html);
        assert!(texts(&page, "p.warning, p.problem").len() > 1, "{html}");
    }
    // Another kernel: only what the dump says of itself.
    let other = fixture("kernel/newer-clang-dwarf4");
    let page = parse(&report_of(other.to_str().unwrap(), core.to_str().unwrap(), &[]));
    assert_eq!(texts(&page, "h2"), ["Summary", "Message buffer"]);
    assert!(texts(&page, "#messages pre").concat().contains("tcp_usr_send"));
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.html");
    fs::write(&file, "what was there").unwrap();
    let path = file.to_str().unwrap();
    let output = vnetkvm(&["--demo", "report", "-o", path]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), demo(&[]));
    fs::write(&file, "what was there").unwrap();
    let output = vnetkvm(&["-M", path, "-N", path, "report", "-o", path]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), "what was there");
    let nowhere = directory.path().join("no/such/directory");
    let output = vnetkvm(&["--demo", "report", "-o", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot write ") && said.contains("caused by: "), "{said}");
    let output = vnetkvm(&["--demo", "report", "-o", directory.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a file was left behind");
}

#[test]
fn formats_of_other_commands_are_refused_wherever_they_stand() {
    for words in [
        ["--demo", "report", "--format", "json"],
        ["--demo", "--format", "table", "report"],
        ["--demo", "vnets", "--format", "html"],
        ["--demo", "--format", "markdown", "vnets"],
    ] {
        let output = vnetkvm(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let own = if words.contains(&"report") { "html, markdown" } else { "table, plain, json" };
        assert!(said.contains(&format!("[possible values: {own}")), "{said}");
        assert!(said.contains("\n  tip: "), "{said}");
    }
    assert!(demo(&["--format", "html"]) == demo(&[]));
    assert_eq!(vnetkvm(&["--demo", "report", "--json"]).status.code(), Some(2));
}
