//! A report in a real browser: its script runs without an error, its pictures are drawn, its
//! search finds, and nothing out of the dump runs.
//!
//! Needs Chromium. `VNETKVM_CHROMIUM` may name it.

#![cfg(feature = "cli")]

mod report_images;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use report_images::{HOSTILE, build_file, fixture, hostile, report};
use scraper::{Html, Selector};

/// What a browser made of a page.
struct Shown {
    page: Html,
    /// What its console says.
    console: Vec<String>,
}

impl Shown {
    fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        self.page.select(&selector).map(|element| element.text().collect()).collect()
    }

    fn count(&self, selector: &str) -> usize {
        self.page.select(&Selector::parse(selector).unwrap()).count()
    }
}

/// Loads a page, runs its scripts until they wait for a person, and takes what it is then.
fn show(html: &str) -> Shown {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.html");
    fs::write(&file, html).unwrap();
    let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
    let output = Command::new(chromium())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile])
        .args(["--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (dom, log) = (text(output.stdout), text(output.stderr));
    assert!(dom.contains("</html>"), "the browser shows nothing: {log}");
    let console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
    Shown { page: Html::parse_document(&dom), console: console.collect() }
}

/// The same page with another script, which its policy would not let run.
fn show_with(html: &str, script: &str) -> Shown {
    let start = html.find("<meta http-equiv=").unwrap();
    let end = start + html[start..].find('>').unwrap() + 1;
    let free = format!("{}{}", &html[..start], &html[end..]);
    show(&free.replace("</body>", &format!("<script>{script}</script></body>")))
}

fn chromium() -> String {
    if let Ok(named) = env::var("VNETKVM_CHROMIUM") {
        return named;
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = env::var("PATH").unwrap_or_default();
    let is_there = |name: &&str| path.split(':').any(|dir| Path::new(dir).join(name).exists());
    names.into_iter().find(is_there).expect("Chromium is installed").to_owned()
}

#[test]
#[ignore = "needs Chromium"]
fn the_script_runs_and_the_pictures_are_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let html = report(&build_file(&fixture("scenarios/network.toml"), directory.path()), &[]);
    let shown = show(&html);
    assert_eq!(shown.console, [""; 0]);
    // The script makes the field for the search.
    assert_eq!((shown.count("#search input"), html.matches("<input").count()), (1, 0));
    let shown = show_with(
        &html,
        "addEventListener('load', () => { for (const image of document.images) \
         image.className = image.naturalWidth > 300 ? 'drawn' : 'broken'; });",
    );
    assert_eq!(shown.console, [""; 0]);
    assert_eq!((shown.count("img.drawn"), shown.count("img.broken")), (3, 0));
}

#[test]
#[ignore = "needs Chromium"]
fn the_search_shows_rows_and_lines_and_opens_what_is_folded() {
    let directory = tempfile::tempdir().unwrap();
    let html = report(&build_file(&fixture("scenarios/demo.toml"), directory.path()), &[]);
    let search = |words: &str| {
        show_with(
            &html,
            &format!(
                "const field = document.getElementById('words'); field.value = '{words}'; \
                 field.dispatchEvent(new Event('input'));"
            ),
        )
    };
    let shown = search("postgres select");
    assert_eq!(shown.console, [""; 0]);
    let rows = shown.texts("main tbody tr:not([hidden])");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("postgres"), "{rows:?}");
    assert_eq!(shown.texts("#found"), ["1 row or line"]);
    assert_eq!(shown.texts("section:not([hidden]) h2"), ["Threads"]);

    // The title of a part counts for what is in it.
    let shown = search("DB01 epair1b");
    assert_eq!(shown.texts("#interfaces details[open] summary").len(), 1);
    assert_eq!(shown.texts("#interfaces details[hidden]").len(), 2);
    let rows = shown.texts("#interfaces details[open] tbody tr:not([hidden])");
    assert!(rows.len() == 1 && rows[0].starts_with("epair1b"), "{rows:?}");

    // Nothing is lost when the field is empty again.
    let script = "const field = document.getElementById('words'); \
        for (const words of ['db01', '']) { field.value = words; \
        document.getElementById('search').dispatchEvent(new Event('submit')); }";
    let shown = show_with(&html, script);
    assert_eq!(shown.count("main [hidden]"), 0);
    assert_eq!(shown.texts("pre"), show(&html).texts("pre"));
    assert_eq!(shown.count("details[open]"), show(&html).count("details[open]"));
}

#[test]
#[ignore = "needs Chromium"]
fn hostile_names_stay_text() {
    let directory = tempfile::tempdir().unwrap();
    let html = report(&hostile(directory.path()), &[]);
    let shown = show(&html);
    assert_eq!(shown.console, [""; 0]);
    assert_eq!(shown.texts("title"), [format!("panic: {}", HOSTILE[1])]);
    assert_eq!((shown.count("script"), shown.count("[onerror], [onload], svg")), (1, 0));
    let jails = shown.texts("#jails td").join("\n");
    for name in HOSTILE {
        let name = name.replace('.', "").replace('\u{202e}', "\\u202e");
        assert!(jails.contains(&name), "{name}:\n{jails}");
    }
    // The policy of the page alone would stop them, and Chromium would say so.
    let forged = html.replace("</main>", "<script>document.title = 'owned'</script></main>");
    let shown = show(&forged);
    assert!(shown.console.iter().any(|line| line.contains("Content Security Policy")));
    assert_eq!(shown.texts("title"), [format!("panic: {}", HOSTILE[1])]);
}
