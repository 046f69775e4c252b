//! The session's answer to what addresses are.

use super::Session;
use crate::error::Error;
use crate::kernel::LinkerSet;
use crate::views::sockets::Census;
use crate::views::whatis::{Sources, Whatis};
use crate::vnet::ModuleSpace;
use crate::walk::{Problem, Problems};

impl Session {
    /// What names addresses: an index of all that is known, made once for any number of them.
    /// Typed pointers are followed `deep` levels down from the variables of vnets; 0 follows none.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn whatis(&self, deep: usize) -> Result<Whatis<'_>, Error> {
        let target = self.matching_target()?;
        let vimage = self.kernel().set_vnet().is_some();
        let mut problems = Problems::default();
        let vnets = vimage.then(|| self.vnets()).transpose().unwrap_or_else(|why| {
            problems.add(Problem::new("the vnets", why.to_string()));
            None
        });
        let typed = target.types().is_ok();
        let copies = if typed { self.all_copies().ok() } else { None };
        let census = copies.as_ref().map(|copies| Census::read(target, copies));
        let space = ModuleSpace::read(target, self.modules()?, LinkerSet::Vnet).ok();
        let sources = Sources {
            target,
            vnets: vnets.map_or(&[], |vnets| &vnets.all),
            known_vnets: self.known_vnets().ok().flatten(),
            variables: if vimage { self.all_variables().ok() } else { None },
            dpcpu: self.variables_of(LinkerSet::Pcpu).ok(),
            cpus: self.cpus().ok(),
            space,
            jails: self.jails().ok(),
            removed: vnets.map_or(&[], |vnets| &vnets.removed),
            network: if typed { self.network().ok() } else { None },
            census,
            counters: self.counters(),
        };
        let mut whatis = Whatis::new(sources, deep);
        whatis.problems.extend(vnets.map(|vnets| vnets.problems.clone()).unwrap_or_default());
        whatis.problems.extend(problems);
        Ok(whatis)
    }
}
