//! The examples below the help of the commands.

pub const INTERFACES_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo interfaces
  vnetkvm --demo interfaces --jail web01 epair0b
  vnetkvm --demo interfaces --all-vnets --format '{vnet.index} {name} {addresses[0]}'
  vnetkvm -N kernel.debug -M vmcore.0 interfaces --all-vnets --json";

pub const CHECK_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo check
  vnetkvm --demo check vnet-list 'interface-*'
  vnetkvm -N kernel.debug -M vmcore.0 check --jail web01 --json
  vnetkvm check --list";

pub const TOPOLOGY_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo topology
  vnetkvm -N kernel.debug -M vmcore.0 topology --as svg > wiring.svg
  vnetkvm -N kernel.debug -M vmcore.0 topology --as dot | dot -Tpdf > wiring.pdf
  vnetkvm -N kernel.debug -M vmcore.0 topology --jail web01 --json";

pub const INFO_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 info
  vnetkvm -n 3 info --dmesg";

pub const VARS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo vars --vnet 1
  vnetkvm --demo vars --jail web01 'tcp*' ip_id
  vnetkvm --demo vars --all-vnets --json ipstat";

pub const PCPU_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 pcpu
  vnetkvm -N kernel.debug -M vmcore.0 pcpu --all-cpus nws 'pcpu_*'
  vnetkvm -N kernel.debug -M vmcore.0 pcpu --cpu 3 '*@if_epair.ko' --json";

pub const MODSPACE_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 modspace
  vnetkvm -N kernel.debug -M vmcore.0 modspace --pcpu";

pub const DIFF_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo diff --jail web01
  vnetkvm --demo diff --all-vnets ip_defttl
  vnetkvm --demo diff --vnet 1 --vnet 2 'tcp*'
  vnetkvm --demo diff --jail web01 --jail db01 'tcp*'
  vnetkvm -N kernel.debug -M vmcore.1 diff --jail web01 --against vmcore.0 --json";

pub const COUNTERS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo counters --vnet 1 ipstat
  vnetkvm --demo counters --all-vnets --per-cpu 'tcp*' --json
  vnetkvm --demo counters --type ipstat='struct ipstat' ipstat";

pub const SOCKETS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo sockets --all-vnets
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 sockets --listen --protocol tcp,udp
  vnetkvm -N kernel.debug -M vmcore.0 sockets --protocol unix --json";

pub const JAILS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo jails
  vnetkvm -N kernel.debug -M vmcore.0 jails --jail web01 --json";

pub const THREADS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo threads
  vnetkvm -N kernel.debug -M vmcore.0 threads --vnet 1
  vnetkvm -N kernel.debug -M vmcore.0 threads --all --format plain";

pub const BT_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 bt
  vnetkvm -N kernel.debug -M vmcore.0 bt --tid 100100 --vnets
  vnetkvm -N kernel.debug -M vmcore.0 bt --jail web01
  vnetkvm -N kernel.debug -M vmcore.0 bt --all --format json";

pub const SYSCTL_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo sysctl --vnet 1 net.inet.ip.ttl
  vnetkvm --demo sysctl --all-vnets net.inet.tcp
  vnetkvm --demo sysctl -d net.inet";

pub const ROUTES_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo routes --jail web01
  vnetkvm --demo routes --jail web01 --to 10.0.0.7
  vnetkvm -N kernel.debug -M vmcore.0 routes --fib 1 -4 --wide";

pub const NEIGHBORS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo neighbors --jail web01
  vnetkvm -N kernel.debug -M vmcore.0 neighbors --all-vnets -6 --json";

pub const PRINT_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo print V_ifnet tcbinfo.ipi_count
  vnetkvm --demo print --vnet 1 'V_ifnet[*].if_xname' 'V_ifnet[.if_mtu > 1500].if_index'
  vnetkvm --demo print 'count(vnet(1).V_ifnet[*])' 'jail(\"web01\").pr_path'
  vnetkvm --demo print '*(struct vnet *)0xfffff80000621040'
  vnetkvm --demo print /x ip_defttl V_ifnet
  vnetkvm -N kernel.debug -M vmcore.0 print --cpu 1 'DPCPU(nws)' 'cpu(1).pc_curthread->td_name'";

pub const READ_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo read 0xfffff80000621000 64
  vnetkvm --demo read '&V_tcbinfo' 0x40 --vnet 1
  vnetkvm --demo read --raw --fill 0xff 0xfffff80000000000 1M > low.bin";

pub const WHATIS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo whatis 0xfffff80000621040
  vnetkvm --demo whatis '&V_tcbinfo.ipi_count' --jail web01 --json
  vnetkvm -N kernel.debug -M vmcore.0 whatis - < addresses
  vnetkvm --demo bt | vnetkvm --demo whatis --annotate";

pub const SYSINIT_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo sysinit
  vnetkvm -N kernel.debug -M vmcore.0 sysinit --vnet 0xfffff80003a51800";

pub const REPORT_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo report > report.html
  vnetkvm -N kernel.debug -M vmcore.0 report -o report.html
  vnetkvm -n 3 report --format markdown -o report.md";

pub const TRIAGE_EXAMPLES: &str = "\
Examples:
  vnetkvm triage vmcore.0 vmcore.1
  vnetkvm --debug-dir /srv/kernels triage --group /srv/crashes
  vnetkvm --debug-dir /srv/kernels triage /srv/crashes/*.zst --format jsonl";

pub const CONVERT_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 convert --to full -o vmcore.full
  vnetkvm -n 3 convert --to elf -o vmcore.elf
  vnetkvm -M vmcore.qemu convert --to minidump --only-mapped -o vmcore
  vnetkvm -n 3 convert --to minidump --redact -o vmcore.redacted
  vnetkvm -n 3 --jail web01 convert --to minidump -o vmcore.web01
  vnetkvm -n 3 convert --to raw -o memory.img";

#[cfg(feature = "export")]
pub const EXPORT_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 export -o exports
  vnetkvm -n 3 export -o exports --tables dumps,counters
  vnetkvm -n 3 export --arrow variables > variables.arrows";

pub const GDB_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 gdb > web01.gdb
  kgdb -x web01.gdb kernel.debug vmcore.0
  (kgdb) print *$V_tcbinfo
  vnetkvm gdb --python > vnet.py
  kgdb -x vnet.py kernel.debug vmcore.0
  (kgdb) print $V(\"tcbinfo\", \"web01\").ipi_count";

pub const LLDB_EXAMPLES: &str = "\
Examples:
  vnetkvm lldb > vnet_lldb.py
  (lldb) command script import vnet_lldb.py
  (lldb) vnets
  (lldb) V tcbinfo.ipi_count web01
  vnetkvm -N kernel.debug lldb --kernel-copy kernel.lldb";

#[cfg(feature = "gdb-server")]
pub const GDB_SERVER_EXAMPLES: &str = "\
Examples:
  vnetkvm -M vmcore.0 gdb-server
  gdb -iex 'set osabi none' kernel.debug -ex 'target remote | vnetkvm -M vmcore.0 gdb-server --stdio'
  (gdb) python exec(gdb.execute(\"monitor gdb --python\", to_string=True))";

#[cfg(feature = "shell")]
pub const SHELL_EXAMPLES: &str = "\
Examples:
  vnetkvm -n 3 shell
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 shell
  echo 'vars --all-vnets ip_defttl' | vnetkvm --demo shell
  vnetkvm -M vmcore.0 shell -e < questions";
