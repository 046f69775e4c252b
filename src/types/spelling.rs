//! The names of C's integer types, which have several spellings.

/// One spelling for all: clang writes `unsigned long`, gcc `long unsigned int`,
/// and gdb shows both as the former.
pub fn canonical(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    const INTEGER: [&str; 6] = ["unsigned", "signed", "long", "short", "int", "char"];
    if words.len() == 1 && !["unsigned", "signed", "long", "short"].contains(&words[0])
        || !words.iter().all(|word| INTEGER.contains(word))
    {
        return words.join(" ");
    }
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    let mut spelled = Vec::new();
    if count("unsigned") > 0 {
        spelled.push("unsigned");
    } else if count("signed") > 0 && count("char") > 0 {
        spelled.push("signed");
    }
    let core = match (count("short"), count("long"), count("char")) {
        (_, _, 1..) => "char",
        (1.., ..) => "short",
        (_, 2.., _) => "long long",
        (_, 1, _) => "long",
        _ => "int",
    };
    spelled.push(core);
    spelled.join(" ")
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn integers_have_one_spelling() {
        for (a, b) in [
            ("unsigned long", "long unsigned int"),
            ("unsigned", "unsigned int"),
            ("long long", "signed long long int"),
            ("short", "short int"),
            ("unsigned short", "short unsigned int"),
        ] {
            assert_eq!(canonical(a), canonical(b));
        }
        assert_ne!(canonical("signed char"), canonical("char"));
        assert_eq!(canonical("long double"), "long double");
        assert_eq!(canonical("_Bool"), "_Bool");
    }
}
