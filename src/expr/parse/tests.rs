//! Trees of expressions, as text in which every operator shows its operands.

use super::*;

/// A tree as text in which every operator shows its operands.
fn show(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Name(name) => name.to_string(),
        ExprKind::Int(literal) => literal.value.to_string(),
        ExprKind::Dpcpu { name, cpu: None } => format!("<DPCPU {name}>"),
        ExprKind::Dpcpu { name, cpu: Some(cpu) } => format!("<DPCPU {name} of {}>", show(cpu)),
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Kept(name) => format!("${name}"),
        ExprKind::Call { function, argument } => {
            format!("<{} {}>", function.name(), show(argument))
        }
        ExprKind::Element => "it".into(),
        ExprKind::Member { base, name, arrow } => {
            format!("({}{}{name})", show(base), if *arrow { "->" } else { "." })
        }
        ExprKind::Index { base, index } => format!("({}[{}])", show(base), show(index)),
        ExprKind::Slice { base, from, to } => {
            format!("({}[{}..{}])", show(base), show(from), show(to))
        }
        ExprKind::Repeat { start, count } => format!("({} @ {})", show(start), show(count)),
        ExprKind::All(base) => format!("({}[*])", show(base)),
        ExprKind::Along { base, link, index } => {
            format!("({}[*{link} or {}])", show(base), show(index))
        }
        ExprKind::Filter { base, condition } => {
            format!("({} where {})", show(base), show(condition))
        }
        ExprKind::Unary { op, operand } => format!("({op:?} {})", show(operand)),
        ExprKind::Binary { op, left, right } => {
            format!("({op:?} {} {})", show(left), show(right))
        }
        ExprKind::Logical { op: Logical::And, left, right } => {
            format!("({} && {})", show(left), show(right))
        }
        ExprKind::Logical { op: Logical::Or, left, right } => {
            format!("({} || {})", show(left), show(right))
        }
        ExprKind::Conditional { condition, yes, no } => {
            format!("({} ? {} : {})", show(condition), show(yes), show(no))
        }
        ExprKind::OffsetOf { of, steps } => format!("<offset of {steps:?} in {of}>"),
        ExprKind::ContainerOf { pointer, of, steps } => {
            format!("<{of} around {} at {steps:?}>", show(pointer))
        }
        ExprKind::Cast { to, operand } => format!("(<{to}> {})", show(operand)),
        ExprKind::SizeOfType(name) => format!("(sizeof <{name}>)"),
        ExprKind::SizeOf(operand) => format!("(sizeof {})", show(operand)),
    }
}

fn shown(text: &str) -> String {
    show(&parse(text).unwrap_or_else(|error| panic!("{error}")))
}

fn message(text: &str) -> String {
    parse(text).unwrap_err().message.into()
}

#[test]
fn members_bind_before_stars() {
    assert_eq!(shown("*V_ifnet.tqh_first->if_xname"), "(Deref ((V_ifnet.tqh_first)->if_xname))");
    assert_eq!(shown("&a[2].b"), "(AddressOf ((a[2]).b))");
    assert_eq!(shown("(*a).b[i + 1]"), "(((Deref a).b)[(Add i 1)])");
    assert_eq!(shown("ipstat@ip_input.c.ips_total"), "(ipstat@ip_input.c.ips_total)");
}

#[test]
fn arithmetic_has_the_precedence_of_c() {
    assert_eq!(shown("a + b * c - d"), "(Subtract (Add a (Multiply b c)) d)");
    assert_eq!(shown("x & ~0x1f"), "(And x (Complement 31))");
    assert_eq!(shown("a | b & c << 1"), "(Or a (And b (ShiftLeft c 1)))");
    assert_eq!(shown("-a - -b"), "(Subtract (Negate a) (Negate b))");
    assert_eq!(shown("a % b / c"), "(Divide (Remainder a b) c)");
    assert_eq!(shown("a + +b"), "(Add a (Plus b))");
}

#[test]
fn casts_are_told_from_parentheses() {
    assert_eq!(shown("*(struct ifnet *)0x1000"), "(Deref (<struct ifnet *> 4096))");
    assert_eq!(shown("(ifnet_t)x->y"), "(<ifnet_t> (x->y))");
    assert_eq!(shown("((struct ifnet *)x)->y"), "((<struct ifnet *> x)->y)");
    assert_eq!(shown("(foo)(x)"), "(<foo> x)");
    assert_eq!(shown("(foo **)x"), "(<foo **> x)");
    assert_eq!(shown("(uint8_t)*x"), "(<uint8_t> (Deref x))");
    assert_eq!(shown("(u_int)-1 + x"), "(Add (<u_int> (Negate 1)) x)");
    assert_eq!(shown("(u_int *)p"), "(<u_int *> p)");
    assert_eq!(shown("(count) * x"), "(Multiply count x)");
    assert_eq!(shown("(count)"), "count");
    assert_eq!(shown("(a * b) + 1"), "(Add (Multiply a b) 1)");
    assert_eq!(shown("(unsigned)-1"), "(<unsigned int> (Negate 1))");
    assert_eq!(shown("(const char * const *)p"), "(<char **> p)");
    assert_eq!(shown("(struct a@b.c *)p + 1"), "(Add (<struct a@b.c *> p) 1)");
    assert_eq!(shown("(count@b.c) + 1"), "(Add count@b.c 1)");
}

#[test]
fn sizeof_takes_types_and_values() {
    assert_eq!(shown("sizeof(struct vnet)"), "(sizeof <struct vnet>)");
    assert_eq!(shown("sizeof(long unsigned int)"), "(sizeof <unsigned long>)");
    assert_eq!(shown("sizeof(u_long)"), "(sizeof <u_long>)");
    assert_eq!(shown("sizeof (tcbinfo)"), "(sizeof tcbinfo)");
    assert_eq!(shown("sizeof tcbinfo.x + 1"), "(Add (sizeof (tcbinfo.x)) 1)");
    assert_eq!(shown("sizeof(*p)"), "(sizeof (Deref p))");
    assert_eq!(shown("sizeof(a.b)"), "(sizeof (a.b))");
}

#[test]
fn copies_of_cpus_look_like_calls() {
    assert_eq!(shown("DPCPU(nws)"), "<DPCPU nws>");
    assert_eq!(
        shown("&DPCPU(x@if_gif.ko, 1 + n)[2]"),
        "(AddressOf (<DPCPU x@if_gif.ko of (Add 1 n)>[2]))"
    );
    assert_eq!(shown("cpu(3).pc_curthread->td_name"), "((<cpu 3>.pc_curthread)->td_name)");
    assert_eq!(shown("sizeof(DPCPU(nws))"), "(sizeof <DPCPU nws>)");
    assert_eq!(shown("sizeof cpu(0)"), "(sizeof <cpu 0>)");
    assert_eq!(shown("(cpu(0)).pc_cpuid + DPCPU(a)"), "(Add (<cpu 0>.pc_cpuid) <DPCPU a>)");
    // Without parentheses they are names like any other.
    assert_eq!(shown("cpu + DPCPU"), "(Add cpu DPCPU)");
    for (text, at, expected) in [
        ("DPCPU(3)", 6..7, "expected a variable's name, found \"3\""),
        ("DPCPU(nws,)", 10..11, "expected a variable, a number or \"(\", found \")\""),
        ("DPCPU(nws", 9..9, "expected \")\", found the end"),
        ("cpu()", 4..5, "expected a variable, a number or \"(\", found \")\""),
        ("cpu(1, 2)", 5..6, "expected \")\", found \",\""),
        ("a, b", 1..2, "expected an operator or the end, found \",\""),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.span, &*error.message), (at, expected), "{text}");
    }
    assert!(parse_path("DPCPU(nws)").is_err());
    assert!(parse_path("cpu(1).pc_cpuid").is_err());
}

#[test]
fn comparisons_and_conditions_have_the_precedence_of_c() {
    assert_eq!(shown("a < b == c & d"), "(And (Equal (Less a b) c) d)");
    assert_eq!(shown("a || b && !c"), "(a || (b && (Not c)))");
    assert_eq!(shown("a ? b : c ? d : e"), "(a ? b : (c ? d : e))");
    assert_eq!(shown("a ? b ? c : d : e | f"), "(a ? (b ? c : d) : (Or e f))");
    assert_eq!(shown("a >= b >> 1 != 0"), "(NotEqual (GreaterOrEqual a (ShiftRight b 1)) 0)");
    assert_eq!(shown("(flag) ? 1 : 'a'"), "(flag ? 1 : 97)");
    assert_eq!(shown("a ? b.ko : c"), "(a ? (b.ko) : c)");
    assert_eq!(message("a ? b"), "expected \":\", found the end");
    assert_eq!(message("a = b"), "= would assign; == compares");
}

#[test]
fn gdb_repeats_with_an_at_sign() {
    assert_eq!(shown("*argv@argc + 1"), "((Deref argv) @ (Add argc 1))");
    assert_eq!(shown("x@2 << 1"), "(ShiftLeft (x @ 2) 1)");
    assert_eq!(shown("x@if.c@2"), "(x@if.c @ 2)");
    assert_eq!(shown("if_gif.ko:x"), "x@if_gif.ko");
    assert_eq!(shown("'ip_input.c'::x.y"), "(x@ip_input.c.y)");
}

#[test]
fn brackets_iterate_slice_and_filter() {
    assert_eq!(shown("V_ifnet[*].if_xname"), "((V_ifnet[*]).if_xname)");
    assert_eq!(shown("V_ifnet[*if_link]"), "(V_ifnet[*if_link or (Deref if_link)])");
    assert_eq!(shown("a[*b.c][*]"), "((a[*b.c or (Deref (b.c))])[*])");
    assert_eq!(shown("a[*p + 1]"), "(a[(Add (Deref p) 1)])");
    assert_eq!(shown("a[*p->q]"), "(a[(Deref (p->q))])");
    assert_eq!(shown("h[0..511][*]"), "((h[0..511])[*])");
    assert_eq!(shown("a[1 + 1..n - 1]"), "(a[(Add 1 1)..(Subtract n 1)])");
    assert_eq!(
        shown("V_ifnet[*][.if_flags & 1].if_xname"),
        "(((V_ifnet[*]) where (And (it.if_flags) 1)).if_xname)"
    );
    assert_eq!(shown("a[1 < .]"), "(a where (Less 1 it))");
    assert_eq!(shown("a[.b[.c]].d"), "((a where ((it.b) where (it.c))).d)");
    assert_eq!(shown("a[.n == \"lo0\" && b[2]]"), "(a where ((Equal (it.n) \"lo0\") && (b[2])))");
    assert_eq!(message(".x"), "expected a variable, a number or \"(\", found \".\"");
    assert_eq!(message("a[0..]"), "expected a variable, a number or \"(\", found \"]\"");
}

#[test]
fn functions_of_the_language_have_one_argument() {
    assert_eq!(shown("count(V_ifnet[*]) + 1"), "(Add <count (V_ifnet[*])> 1)");
    assert_eq!(shown("vnet(2).vnet_ifcnt"), "(<vnet 2>.vnet_ifcnt)");
    assert_eq!(shown("jail(\"web01\")->pr_id"), "(<jail \"web01\">->pr_id)");
    assert_eq!(shown("$1 + $ + $p->x"), "(Add (Add $1 $) ($p->x))");
    assert_eq!(shown("$$2"), "$$2");
    assert_eq!(
        shown("offsetof(struct ifnet, if_x.y[2])"),
        r#"<offset of [Member("if_x"), Member("y"), Index(2)] in struct ifnet>"#
    );
    assert_eq!(
        shown("container_of(p, struct ifnet, if_link)->if_mtu"),
        r#"(<struct ifnet around p at [Member("if_link")]>->if_mtu)"#
    );
    // Without parentheses they are names like any other.
    assert_eq!(shown("sum + min"), "(Add sum min)");
}

#[test]
fn casts_take_every_type() {
    assert_eq!(shown("(char[16])x"), "(<char [16]> x)");
    assert_eq!(shown("(int (*)(void))p"), "(<int (*)()> p)");
    assert_eq!(shown("(typeof(a->b) *)p"), "(<typeof(...) *> p)");
    assert_eq!(shown("sizeof(struct ifnet *[4])"), "(sizeof <struct ifnet *[4]>)");
    assert_eq!(shown("(name[3])"), "(name[3])");
    assert_eq!(shown("(name[3]) + 1"), "(Add (name[3]) 1)");
    assert_eq!(shown("(count(a[*]))"), "<count (a[*])>");
    assert_eq!(shown("(bool)!x"), "(<bool> (Not x))");
}

#[test]
fn spans_cover_what_was_read() {
    let expr = parse(" (a.b)[1] ").unwrap();
    assert_eq!(expr.span, 1..9);
    let ExprKind::Index { base, index } = expr.kind else { panic!() };
    assert_eq!((base.span, index.span), (1..6, 7..8));
}

#[test]
fn mistakes_are_named() {
    assert_eq!(message(""), "expected a variable, a number or \"(\", found the end");
    assert_eq!(message("a b"), "expected an operator or the end, found \"b\"");
    assert_eq!(message("a["), "expected a variable, a number or \"(\", found the end");
    assert_eq!(message("(a"), "expected \")\", found the end");
    assert_eq!(message("a->3"), "expected a member name, found \"3\"");
    assert_eq!(message("f(3)"), "functions in a dump cannot be called");
    assert_eq!(message("struct vnet"), "\"struct\" is a type, but a value is needed here");
    assert_eq!(message("(struct *)x"), "expected the name of a struct, union or enum, found \"*\"");
    assert_eq!(message("(struct foo x"), "expected \")\" after the type, found \"x\"");
}

#[test]
fn a_path_has_members_and_indices_only() {
    let path = parse_path("ifr@if.c[3].ifr_name").unwrap();
    assert_eq!(path.name, Name { name: "ifr".into(), file: Some("if.c".into()) });
    assert_eq!(path.steps, [Step::Index(3), Step::Member("ifr_name".into())]);
    for text in ["", "a->b", "a[i]", "*a", "a.", "a b", "3"] {
        assert!(parse_path(text).is_err(), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let opens = [
        "(",
        "*",
        "a[",
        "sizeof ",
        "sizeof(",
        "(int)",
        "a.b+",
        "(struct a *)",
        "- ",
        "a[.b[",
        "!",
        "a ? ",
        "count(",
        "(typeof(",
        "sizeof(typeof(",
        "(int (*",
        "a&&",
        "offsetof(a,",
    ];
    for open in opens {
        let error = parse(&open.repeat(50_000)).unwrap_err();
        assert!(error.message.contains("at most 256"), "{error}");
    }
    let deep = format!("{}a{}", "(".repeat(120), ")".repeat(120));
    assert!(parse(&deep).is_ok());
}
