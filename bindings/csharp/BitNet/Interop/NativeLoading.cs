// Where the shared library comes from, on .NET and on Mono.
using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    public static unsafe partial class Native
    {
        internal const string Library = "bitnet";
        internal const CallingConvention Convention = CallingConvention.Cdecl;
    }

    /// <summary>
    /// The order: the file that BITNET_LIBRARY names; beside this assembly (NuGet's runtimes folder, too); the
    /// system's, under the name that carries the interface's version.
    /// </summary>
    internal static class NativeLoading
    {
        private static bool prepared;
        private static readonly object Lock = new object();

        internal static string VersionedName
        {
            get
            {
                string version = Native.VersionMajor + "." + Native.VersionMinor;
                if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows)) return "bitnet.dll";
                return RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libbitnet." + version + ".dylib"
                                                                       : "libbitnet.so." + version;
            }
        }

        internal static void Prepare()
        {
            lock (Lock)
            {
                if (prepared) return;
#if NET8_0_OR_GREATER
                NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);
#else
                if (Type.GetType("Mono.Runtime") != null) MapOnMono();
#endif
                prepared = true;
            }
        }

        private static string Named
        {
            get
            {
                string path = Environment.GetEnvironmentVariable("BITNET_LIBRARY");
                return string.IsNullOrEmpty(path) ? null : path;
            }
        }

#if NET8_0_OR_GREATER
        private static IntPtr Resolve(string name, System.Reflection.Assembly assembly, DllImportSearchPath? search)
        {
            if (name != Native.Library) return IntPtr.Zero;
            IntPtr library;
            // A file that was named is taken or is an error, nothing else in silence.
            if (Named != null) return NativeLibrary.Load(Named);
            if (NativeLibrary.TryLoad(name, assembly, search, out library)) return library;
            return NativeLibrary.TryLoad(VersionedName, assembly, search, out library) ? library : IntPtr.Zero;
        }
#else
        private static void MapOnMono()
        {
            string target = Named;
            if (target == null)
            {
                string folder = Path.GetDirectoryName(typeof(Native).Assembly.Location) ?? ".";
                foreach (string file in new[] { VersionedName, "libbitnet.so", "libbitnet.dylib" })
                {
                    string beside = Path.Combine(folder, file);
                    if (File.Exists(beside)) target = beside;
                    if (target != null) break;
                }
            }
            mono_dllmap_insert(IntPtr.Zero, Native.Library, null, target ?? VersionedName, null);
        }

        // Of Mono's embedding interface: what <dllmap> in a configuration file does, decided when the program runs.
        [DllImport("__Internal", CallingConvention = CallingConvention.Cdecl)]
        private static extern void mono_dllmap_insert(IntPtr assembly, string library, string function, string targetLibrary,
                                                      string targetFunction);
#endif
    }
}
