//! The dump as gdbstub's target: memory, registers and threads, and nothing that changes them.

use std::num::NonZeroUsize;

use gdbstub::arch::{Arch as StubArch, Registers as StubRegisters};
use gdbstub::common::{Endianness, Signal, Tid};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadResume, MultiThreadResumeOps, MultiThreadSingleStep,
    MultiThreadSingleStepOps,
};
use gdbstub::target::ext::exec_file::ExecFileOps;
use gdbstub::target::ext::host_info::{HostInfo, HostInfoOps, HostInfoResponse};
use gdbstub::target::ext::host_io::HostIoOps;
use gdbstub::target::ext::libraries::{Libraries, LibrariesOps};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::process_info::{ProcessInfo, ProcessInfoOps, ProcessInfoResponse};
use gdbstub::target::ext::section_offsets::{Offsets, SectionOffsets, SectionOffsetsOps};
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::files::Files;
use super::monitor::Monitor;
use super::registers::{self, Register};
use super::threads::Threads;
use super::{description, libraries};
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::session::Session;

/// EFAULT: there is no such memory in the dump.
pub(super) const NO_MEMORY: u8 = 14;
/// EROFS: a dump does not change.
const READ_ONLY: u8 = 30;

/// All architectures at once: addresses have 64 bits, and registers are bytes.
pub(super) enum AnyArch {}

impl StubArch for AnyArch {
    type Usize = u64;
    type Registers = RegisterBytes;
    type BreakpointKind = usize;
    type RegId = ();
}

/// Registers in gdb's order; the bytes of one that is not known are `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RegisterBytes(Vec<Option<u8>>);

impl StubRegisters for RegisterBytes {
    type ProgramCounter = u64;

    /// gdbstub does not ask for it.
    fn pc(&self) -> u64 {
        0
    }

    fn gdb_serialize(&self, write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().copied().for_each(write_byte);
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.iter().copied().map(Some).collect();
        Ok(())
    }
}

/// A dump.
pub(super) struct Stub<'s, 'm> {
    pub session: &'s Session,
    pub arch: Arch,
    pub registers: Vec<Register>,
    pub threads: Threads<'s>,
    target_xml: String,
    libraries: Option<String>,
    pub files: Files,
    triple: String,
    /// The thread that the client last let run.
    wanted: Option<Tid>,
    /// The thread that it asks about (`Hg`).
    pub chosen: Option<Tid>,
    /// The list for qXfer:threads, once somebody asked.
    pub thread_list: Option<String>,
    monitor: &'m mut dyn Monitor,
}

impl<'s, 'm> Stub<'s, 'm> {
    pub fn new(session: &'s Session, monitor: &'m mut dyn Monitor) -> Self {
        let arch = session.target().arch();
        let features = registers::features(arch);
        let registers = features.into_iter().flat_map(|feature| feature.registers).collect();
        let mut files = Files::of(session.kernel().linked());
        let modules = session.modules().ok();
        Self {
            session,
            arch,
            registers,
            threads: Threads::read(session),
            target_xml: description::target_xml(arch),
            libraries: modules
                .map(|modules| libraries::library_list(modules.modules(), &mut files)),
            files,
            triple: format!("{}-unknown-freebsd", triple_arch(arch)),
            wanted: None,
            chosen: None,
            thread_list: None,
            monitor,
        }
    }

    /// Nothing of what the client before chose counts.
    pub fn start(&mut self) {
        (self.wanted, self.chosen) = (None, None);
        self.monitor.start();
    }

    /// The thread that stops at once when the client lets one run.
    pub fn stopped(&self) -> Tid {
        self.wanted.or(self.threads.ids().first().copied()).unwrap_or(Tid::MIN)
    }

    fn endianness(&self) -> Endianness {
        match self.arch.endian() {
            Endian::Little => Endianness::Little,
            Endian::Big => Endianness::Big,
        }
    }
}

/// LLVM's name of an architecture.
fn triple_arch(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "x86_64",
        Arch::I386 => "i386",
        Arch::Arm64 => "aarch64",
        Arch::Arm => "armv7",
        Arch::Riscv64 => "riscv64",
        Arch::Powerpc64 => "powerpc64",
        Arch::Powerpc64le => "powerpc64le",
    }
}

impl Target for Stub<'_, '_> {
    type Arch = AnyArch;
    type Error = &'static str;

    fn base_ops(&mut self) -> BaseOps<'_, Self::Arch, Self::Error> {
        BaseOps::MultiThread(self)
    }

    /// Nothing runs, so gdb sets no breakpoints.
    fn guard_rail_implicit_sw_breakpoints(&self) -> bool {
        true
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }

    fn support_libraries(&mut self) -> Option<LibrariesOps<'_, Self>> {
        self.libraries.is_some().then_some(self as _)
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        Some(self)
    }

    fn support_host_io(&mut self) -> Option<HostIoOps<'_, Self>> {
        Some(self)
    }

    fn support_section_offsets(&mut self) -> Option<SectionOffsetsOps<'_, Self>> {
        Some(self)
    }

    fn support_host_info(&mut self) -> Option<HostInfoOps<'_, Self>> {
        Some(self)
    }

    fn support_process_info(&mut self) -> Option<ProcessInfoOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Stub<'_, '_> {
    fn read_registers(&mut self, regs: &mut RegisterBytes, tid: Tid) -> TargetResult<(), Self> {
        let known = self.threads.registers(tid);
        regs.0 = self
            .registers
            .iter()
            .flat_map(|register| match register.bytes(self.arch, &known) {
                Some(bytes) => bytes.into_iter().map(Some).collect::<Vec<_>>(),
                None => vec![None; register.bits as usize / 8],
            })
            .collect();
        Ok(())
    }

    fn write_registers(&mut self, _: &RegisterBytes, _: Tid) -> TargetResult<(), Self> {
        Err(TargetError::Errno(READ_ONLY))
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], _: Tid) -> TargetResult<usize, Self> {
        let at = VirtAddr::new(self.arch.wrap(start));
        match self.session.memory().read_prefix(at, data) {
            (0, Some(_)) => Err(TargetError::Errno(NO_MEMORY)),
            (len, _) => Ok(len),
        }
    }

    fn write_addrs(&mut self, _: u64, _: &[u8], _: Tid) -> TargetResult<(), Self> {
        Err(TargetError::Errno(READ_ONLY))
    }

    fn list_active_threads(
        &mut self,
        thread_is_active: &mut dyn FnMut(Tid),
    ) -> Result<(), Self::Error> {
        self.threads.ids().iter().copied().for_each(thread_is_active);
        Ok(())
    }

    fn is_thread_alive(&mut self, tid: Tid) -> Result<bool, Self::Error> {
        Ok(self.threads.has(tid))
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

/// A client that lets threads run is told at once that they have stopped ([`super::Server`]).
impl MultiThreadResume for Stub<'_, '_> {
    fn resume(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Self::Error> {
        self.wanted = None;
        Ok(())
    }

    fn set_resume_action_continue(
        &mut self,
        tid: Tid,
        _: Option<Signal>,
    ) -> Result<(), Self::Error> {
        self.wanted = Some(tid);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Stub<'_, '_> {
    fn set_resume_action_step(&mut self, tid: Tid, _: Option<Signal>) -> Result<(), Self::Error> {
        self.wanted = Some(tid);
        Ok(())
    }
}

impl ThreadExtraInfo for Stub<'_, '_> {
    fn thread_extra_info(&self, tid: NonZeroUsize, buf: &mut [u8]) -> Result<usize, Self::Error> {
        Ok(part(self.threads.about(tid).line.as_bytes(), 0, buf.len(), buf))
    }
}

impl TargetDescriptionXmlOverride for Stub<'_, '_> {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        match annex {
            b"target.xml" => Ok(part(self.target_xml.as_bytes(), offset, length, buf)),
            _ => Err(TargetError::NonFatal),
        }
    }
}

impl Libraries for Stub<'_, '_> {
    fn get_libraries(
        &self,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let list = self.libraries.as_deref().unwrap_or_default();
        Ok(part(list.as_bytes(), offset, length, buf))
    }
}

/// How far the kernel runs from where it is linked.
impl SectionOffsets for Stub<'_, '_> {
    fn get_section_offsets(&mut self) -> Result<Offsets<u64>, Self::Error> {
        let slide = self.session.kernel().slide();
        Ok(Offsets::Sections { text: slide, data: slide, bss: Some(slide) })
    }
}

impl HostInfo for Stub<'_, '_> {
    fn host_info(
        &self,
        write_item: &mut dyn FnMut(&HostInfoResponse<'_>),
    ) -> Result<(), Self::Error> {
        write_item(&HostInfoResponse::Triple(&self.triple));
        write_item(&HostInfoResponse::Endianness(self.endianness()));
        write_item(&HostInfoResponse::PointerSize(self.arch.pointer_size() as usize));
        Ok(())
    }
}

impl ProcessInfo for Stub<'_, '_> {
    fn process_info(
        &self,
        write_item: &mut dyn FnMut(&ProcessInfoResponse<'_>),
    ) -> Result<(), Self::Error> {
        write_item(&ProcessInfoResponse::Pid(NonZeroUsize::MIN));
        write_item(&ProcessInfoResponse::Triple(&self.triple));
        write_item(&ProcessInfoResponse::Endianness(self.endianness()));
        write_item(&ProcessInfoResponse::PointerSize(self.arch.pointer_size() as usize));
        Ok(())
    }
}

impl MonitorCmd for Stub<'_, '_> {
    fn handle_monitor_cmd(
        &mut self,
        cmd: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), Self::Error> {
        let line = String::from_utf8_lossy(cmd);
        let answer = self.monitor.run(&line);
        // gdb shows a long line of output as several.
        answer.as_bytes().chunks(MOST_IN_A_PACKET).for_each(|bytes| out.write_raw(bytes));
        Ok(())
    }
}

/// Fewer bytes than a packet has room for, in hexadecimal digits.
const MOST_IN_A_PACKET: usize = 4 << 10;

/// Copies a part of a text into `buf`, and returns its length.
pub(super) fn part(text: &[u8], offset: u64, length: usize, buf: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..));
    let rest = rest.unwrap_or_default();
    let len = rest.len().min(length).min(buf.len());
    if let (Some(to), Some(from)) = (buf.get_mut(..len), rest.get(..len)) {
        to.copy_from_slice(from);
    }
    len
}
