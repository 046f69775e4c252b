//! What CTF cannot tell of the fixture kernels, by name.

use std::collections::BTreeSet;

/// What CTF does to a declaration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `(void)` is `()`.
    Prototype,
    /// `[0]` is `[]`.
    ZeroLength,
    /// `signed char` is `char`.
    SignedChar,
    /// A declared union that is nowhere defined reads as a struct.
    Forward,
    /// The type of a bit-field is a base type; typedefs and qualifiers are lost.
    BitFieldType,
    /// The line says something else.
    Lost,
}

/// By limit, for each type: the members, or words of the lines, that it concerns.
type Table = [(Limit, &'static [(&'static str, &'static [&'static str])])];

pub const LIMITS: &Table = &[
    (
        Limit::Prototype,
        &[
            ("pr_drain_t", &["pr_drain_t"]),
            ("pr_fasttimo_t", &["pr_fasttimo_t"]),
            ("pr_init_t", &["pr_init_t"]),
            ("pr_slowtimo_t", &["pr_slowtimo_t"]),
            ("struct cc_algo", &["mod_init"]),
            ("struct domain", &["dom_init", "dom_destroy", "dom_probe"]),
            ("struct eventhandler_entry_generic", &["func"]),
            ("struct eventhandler_entry_vimage", &["func"]),
            ("struct kobj_method", &["func"]),
        ],
    ),
    (
        Limit::ZeroLength,
        &[
            ("struct fdescenttbl", &["fdt_ofiles"]),
            ("struct feat_empty", &["zero"]),
            ("struct grehdr", &["gre_opts"]),
            ("struct nhgrp_object", &["nhops"]),
            ("struct nhgrp_priv", &["nhg_nh_weights"]),
        ],
    ),
    (Limit::SignedChar, &[("__int8_t", &["__int8_t"]), ("struct proc", &["p_nice"])]),
    (
        Limit::Forward,
        &[
            ("if_snd_tag_alloc_t", &["if_snd_tag_alloc_params"]),
            ("if_snd_tag_modify_t", &["if_snd_tag_modify_params"]),
            ("if_snd_tag_query_t", &["if_snd_tag_query_params"]),
            ("struct pcb", &["pcb_save"]),
        ],
    ),
    (
        Limit::BitFieldType,
        &[
            ("struct feat_bits", &["huge", "negative", "half"]),
            ("struct feat_nested_bits", &["in_nameless", "beside", "view"]),
            ("struct feat_packed_bits", &["a", "straddles", "longer", "b", "d"]),
            ("union feat_bit_union", &["low"]),
            (
                "struct inpcb",
                &[
                    "inp_hpts_cpu_set",
                    "inp_input_cpu_set",
                    "inp_hpts_calls",
                    "inp_input_calls",
                    "inp_spare_bits2",
                ],
            ),
            ("struct ip", &["ip_hl", "ip_v"]),
            ("struct region_descriptor", &["rd_limit"]),
            ("struct rib_head", &["rib_algo_fixed", "rib_algo_init", "rib_dying"]),
            ("struct syncache", &["sc_requested_s_scale", "sc_requested_r_scale"]),
            (
                "struct tcpcb",
                &[
                    "t_maxseg",
                    "t_logstate",
                    "_t_logstate",
                    "t_port",
                    "t_state",
                    "t_idle_reduce",
                    "t_delayed_ack",
                    "t_fin_is_rst",
                    "t_log_state_set",
                    "bits_spare",
                    "t_nic_ktls_xmit",
                    "t_nic_ktls_xmit_dis",
                    "t_nic_ktls_spare",
                ],
            ),
        ],
    ),
    (
        Limit::Lost,
        &[
            // Enumerators beyond 32 bits, or beyond 31 if all are positive.
            ("enum feat_unsigned", &["FEAT_TOP"]),
            ("enum feat_wide", &["FEAT_SMALL", "FEAT_WIDE"]),
            ("enum feat_wide_signed", &["FEAT_LEAST", "FEAT_MOST"]),
            // The width of a bit-field that is an enum, and with it the hole behind it.
            ("struct feat_bits", &["sign", "hole of 18 bits", "holes of"]),
            // There is only one kind of char that is signed.
            ("signed char", &["signed char"]),
        ],
    ),
];

/// Variables whose types have other names, for the reasons above.
pub const OTHER_TYPES: [&str; 4] = [
    "vnet_entry_feat_zero_length",
    "vnet_entry_feat_no_arguments",
    "vnet_entry_feat_schar",
    "vnet_entry_feat_text_signed",
];

/// Variables whose values read otherwise: their enumerators are lost.
pub const OTHER_VALUES: [&str; 2] = ["feat_enum_wide", "feat_enum_wide_signed"];

/// Symbols without a type: statics of functions, and those that the compiler renamed.
pub const NO_TYPE: [&str; 8] = [
    "feat_location_list.calls",
    "feat_calls_inlined.calls",
    "vnet_recursions.0",
    "unp_gc_runs.llvm.8114829630573916",
    "uuid_seq.asked",
    "uuid_is_ready.asked",
    "uuid_is_ready.refused",
    "eventtimers.0",
];

/// The lines without what CTF cannot tell. `needed`: those of the list that were there.
pub fn as_far_as_told(
    name: &str,
    lines: &[String],
    needed: &mut BTreeSet<(&'static str, &'static str)>,
) -> Vec<String> {
    let limits = LIMITS.iter().flat_map(|(limit, types)| types.iter().map(|one| (*limit, *one)));
    let limits: Vec<_> = limits.filter(|(_, (listed, _))| *listed == name).collect();
    let told = lines.iter().filter_map(|line| {
        let mut line = line.clone();
        for (limit, (listed, words)) in &limits {
            for word in *words {
                if !contains_word(&line, word) {
                    continue;
                }
                needed.insert((*listed, *word));
                line = match limit {
                    Limit::Prototype => line.replace("(void)", "()"),
                    Limit::ZeroLength => line.replace("[0]", "[]"),
                    Limit::SignedChar => line.replace("signed char", "char"),
                    Limit::Forward => line.replace("union", "struct"),
                    Limit::BitFieldType => line[line.find(&format!(" {word} : "))?..].to_owned(),
                    Limit::Lost => return None,
                };
            }
        }
        Some(line)
    });
    told.collect()
}

fn contains_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_name) && !line[at + word.len()..].starts_with(part_of_name)
    })
}
