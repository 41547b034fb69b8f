/// The calls of the seam, over what memory_disk.cpp knows of places and inodes.
#include <cerrno>
#include <system_error>

#include "test/proof/memory_disk.hpp"

namespace proof {
namespace {

using store::FileKind;
using store::Outcome;

constexpr std::string_view kBootIdPath = "/proc/sys/kernel/random/boot_id";

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace

std::optional<store::Directory> MemoryDisk::open_directory(const std::string& path) {
  const Id id = lookup(path);
  if (id == 0) return std::nullopt;
  if (at(id).kind != FileKind::directory) fail(ENOTDIR, "open " + path);
  return store::Directory{open(id), path};
}

Outcome MemoryDisk::make_directory(const std::string& asked, unsigned) {
  const std::string path = asked.substr(0, asked.find_last_not_of('/') + 1);
  if (lookup(path) != 0) return Outcome::exists;
  const auto slash = path.find_last_of('/');
  const Id parent = lookup(slash == 0 ? "/" : path.substr(0, slash));
  if (parent == 0) return Outcome::missing;
  put_entry({parent, path.substr(slash + 1), 0}, make_inode(parent, FileKind::directory, {}));
  return Outcome::done;
}

void MemoryDisk::visit(const store::Directory& directory,
                       const std::function<void(const store::DirectoryEntry&)>& visit) {
  const Id folder = id_of(directory.fd);
  const auto entries = at(folder).entries;  // the visitor may change it
  for (const auto& [name, id] : entries) {
    visit({name, at(id | (folder & kRunBit)).kind == FileKind::regular});
  }
}

std::optional<store::FileIdentity> MemoryDisk::identify(const store::Directory& directory,
                                                        const std::string& name) {
  const Place place = place_of(directory, name);
  return place.inode == 0 ? std::nullopt : std::optional(identity_of(place.inode));
}

store::FileIdentity MemoryDisk::identify(const store::Fd& fd) { return identity_of(id_of(fd)); }

std::optional<store::FileContent> MemoryDisk::read_file(const store::Directory& directory,
                                                        const std::string& name,
                                                        std::size_t limit) {
  const Id id = regular_at(directory, name);
  if (id == 0 || at(id).kind != FileKind::regular) return std::nullopt;
  return store::FileContent{identity_of(id), at(id).bytes.substr(0, limit)};
}

std::optional<std::string> MemoryDisk::read_regular_entry(const store::Directory& directory,
                                                          const std::string& name,
                                                          std::size_t limit) {
  const Id id = regular_at(directory, name);
  if (id == 0) return std::nullopt;
  if (at(id).kind == FileKind::directory) fail(EISDIR, "read " + name);
  return at(id).bytes.substr(0, limit);
}

std::string MemoryDisk::read_path(const std::string& path, std::size_t limit) {
  if (path != kBootIdPath) fail(ENOENT, "open " + path);
  return machine_.boot_id.substr(0, limit);
}

std::string MemoryDisk::read_regular(const std::string& path, std::size_t) {
  fail(ENOENT, "open " + path);
}

store::FileSystem::NewFile MemoryDisk::create_file(const store::Directory& directory,
                                                   const std::string&, unsigned) {
  return {open(make_inode(id_of(directory.fd), FileKind::regular, {})), true};
}

void MemoryDisk::write_all(const store::Fd& fd, std::string_view bytes, const std::string&) {
  put_bytes(id_of(fd), at(id_of(fd)).bytes + std::string(bytes));
}

std::optional<store::Fd> MemoryDisk::open_file(const store::Directory& directory,
                                               const std::string& name) {
  const Id id = regular_at(directory, name);
  return id == 0 ? std::nullopt : std::optional(open(id));
}

store::Supported MemoryDisk::set_attribute(const store::Fd& fd, const std::string&,
                                           std::string_view value, const std::string&) {
  change({Change::Kind::attribute, id_of(fd), {}, 0, 0, std::string(value)});
  return store::Supported::yes;
}

std::optional<std::string> MemoryDisk::get_attribute(const store::Fd& fd, const std::string&) {
  return at(id_of(fd)).attribute;
}

Outcome MemoryDisk::link_file(const store::Fd& fd, const store::Directory& directory,
                              const std::string& name) {
  const Place place = place_of(directory, name);
  if (place.inode != 0) return Outcome::exists;
  put_entry(place, id_of(fd));
  return Outcome::done;
}

Outcome MemoryDisk::unlink(const store::Directory& directory, const std::string& name) {
  const Place place = place_of(directory, name);
  if (place.inode == 0) return Outcome::missing;
  if (at(place.inode).kind == FileKind::directory) fail(EISDIR, "unlink " + name);
  put_entry(place, 0);
  return Outcome::done;
}

std::optional<std::string> MemoryDisk::read_link(const store::Directory& directory,
                                                 const std::string& name) {
  const Id folder = id_of(directory.fd);
  const auto slash = name.find('/');
  if (slash != std::string::npos && at(folder).entries.count(name.substr(0, slash)) == 0)
    return std::nullopt;
  const Place place = place_of(directory, name);
  if (place.inode == 0 || at(place.inode).kind != FileKind::symbolic_link) return std::nullopt;
  // readlink(2) of an empty one is ENOENT.
  if (at(place.inode).bytes.empty()) return std::nullopt;
  return at(place.inode).bytes;
}

Outcome MemoryDisk::make_link(const std::string& target, const store::Directory& directory,
                              const std::string& name) {
  const Place place = place_of(directory, name);
  if (place.inode != 0) return Outcome::exists;
  put_entry(place, make_inode(place.folder, FileKind::symbolic_link, target));
  return Outcome::done;
}

void MemoryDisk::rename(const store::Directory& directory, const std::string& from,
                        const std::string& to) {
  const Place source = place_of(directory, from);
  const Place place = place_of(directory, to);
  if (source.inode == 0) fail(ENOENT, "rename " + from);
  change({Change::Kind::entry, place.folder, place.name, source.inode, place.inode, {}, from});
}

void MemoryDisk::write_in_place(const store::Directory& directory, const std::string& name,
                                std::string_view bytes, unsigned) {
  Place place = place_of(directory, name);
  if (place.inode == 0) {
    place.inode = make_inode(place.folder, FileKind::regular, {});
    put_entry({place.folder, place.name, 0}, place.inode);
  }
  put_bytes(place.inode, bytes);
}

std::optional<store::OpenText> MemoryDisk::open_text(const store::Directory& directory,
                                                     const std::string& name, std::size_t limit) {
  const Id id = regular_at(directory, name);
  if (id == 0) return std::nullopt;
  return store::OpenText{open(id), at(id).bytes.substr(0, limit)};
}

void MemoryDisk::overwrite(store::OpenText& text, std::string_view bytes, const std::string&) {
  put_bytes(id_of(text.fd), bytes);
  text.bytes = bytes;
}

void MemoryDisk::set_modified(const store::Fd& fd, std::int64_t modified_ns, const std::string&) {
  const Id id = id_of(fd);
  tree_of(id).own(id & ~kRunBit).modified_ns = modified_ns;
}

std::optional<store::Mapping> MemoryDisk::map_file(const store::Directory&, const std::string&,
                                                   std::size_t) {
  return std::nullopt;
}

store::Mapping MemoryDisk::map_new_file(const store::Directory&, const std::string& name,
                                        std::size_t, unsigned) {
  fail(ENOSPC, "fallocate " + name);
}

std::optional<bool> MemoryDisk::is_writable(const std::string& path) {
  return lookup(path) == 0 ? std::nullopt : std::optional(!machine_.is_read_only);
}

void MemoryDisk::sync(const store::Fd& fd, const std::string&) {
  const Id id = id_of(fd);
  if ((id & kRunBit) != 0) return;
  for (auto& one : machine_.durable) one.synced(id);
  observer_(Step::sync);
}

std::optional<store::Fd> MemoryDisk::open_lock(const store::Directory& directory,
                                               const std::string& name,
                                               std::optional<unsigned> mode) {
  Place place = place_of(directory, name);
  if (place.inode == 0 && !mode) return std::nullopt;
  if (place.inode == 0) {
    place.inode = make_inode(place.folder, FileKind::regular, {});
    put_entry({place.folder, place.name, 0}, place.inode);
  }
  return open(place.inode);
}

std::optional<store::NamespaceIdentity> MemoryDisk::network_namespace(const std::string& path) {
  const auto found = machine_.namespaces.find(path);
  return found == machine_.namespaces.end() ? std::nullopt : std::optional(found->second);
}

store::Life MemoryDisk::life_of(const store::NamespaceIdentity& network_namespace) {
  return machine_.is_alive(network_namespace) ? store::Life::alive : store::Life::gone;
}

std::optional<store::Fd> MemoryDisk::create_named(const store::Directory& directory,
                                                  const std::string& name) {
  const Place place = place_of(directory, name);
  if (place.inode != 0) return std::nullopt;
  const Id id = make_inode(place.folder, FileKind::regular, {});
  put_entry(place, id);
  return open(id);
}

void MemoryDisk::truncate_and_write(const store::Directory& directory, const std::string& name,
                                    const std::string& bytes) {
  write_in_place(directory, name, {}, 0);
  write_in_place(directory, name, bytes, 0);
}

}  // namespace proof
