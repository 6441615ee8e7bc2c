// The library as a whole: loading, version, what it was built with, its log.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>
    /// Takes one line of the library's log. It may be called from any thread and must not call the library.
    /// </summary>
    public delegate void LogHandler(LogLevel level, string message);

    /// <summary>The shared library: loading, version, log.</summary>
    public static unsafe class BitNetLibrary
    {
        private static readonly object Lock = new object();
        private static volatile bool isLoaded;
        private static bitnet_log_callback logCallback; // the library holds it until the next one

        /// <summary>"0.1.0": the version of the loaded library.</summary>
        public static string Version
        {
            get
            {
                EnsureLoaded();
                return Texts.Version();
            }
        }

        /// <summary>One line about its build: version, compiler, kernels.</summary>
        public static string BuildInfo
        {
            get
            {
                EnsureLoaded();
                return Texts.BuildInfo();
            }
        }

        /// <summary>What the library was built with: "cpu", "threads", "mmap", ...</summary>
        public static IReadOnlyList<string> Features
        {
            get
            {
                EnsureLoaded();
                return Texts.Features();
            }
        }

        /// <summary>Threads that this process may really use.</summary>
        public static int ThreadLimit
        {
            get
            {
                EnsureLoaded();
                return Texts.ThreadLimit();
            }
        }

        /// <summary>Bytes that all models, contexts and adapters of this process hold now.</summary>
        public static ulong MemoryUsed
        {
            get
            {
                EnsureLoaded();
                return Texts.MemoryUsed();
            }
        }

        /// <summary>
        /// Loads the shared library and checks its version; done by everything in this namespace. Programs that use
        /// BitNet.Interop themselves call it first.
        /// </summary>
        public static void EnsureLoaded()
        {
            if (isLoaded) return;
            lock (Lock)
            {
                if (isLoaded) return;
                NativeLoading.Prepare();
                uint number;
                try
                {
                    number = Texts.VersionNumber();
                }
                catch (TypeLoadException problem) // DllNotFoundException, EntryPointNotFoundException
                {
                    throw NotLoaded(problem);
                }
                catch (BadImageFormatException problem)
                {
                    throw NotLoaded(problem);
                }
                CheckVersion(number);
                isLoaded = true;
            }
        }

        private static BitNetException NotLoaded(Exception problem)
        {
            string suggestion = "Install the library, or set BITNET_LIBRARY to the path of " + NativeLoading.VersionedName + ".";
            return new BitNetException("The library bitnet cannot be loaded. " + suggestion + " (" + problem.Message + ")", Status.FileNotFound,
                                       "BITNET_E_FILE_NOT_FOUND", ErrorFamily.Io, suggestion, problem);
        }

        /// <summary>The same major version, before 1.0 also the same minor one; structs only grow within it.</summary>
        internal static void CheckVersion(uint number)
        {
            uint major = number / 10000;
            uint minor = number / 100 % 100;
            bool fits = major == Native.VersionMajor && (major == 0 ? minor == Native.VersionMinor : minor >= Native.VersionMinor);
            if (fits) return;
            throw new BitNetException("The library bitnet has version " + major + "." + minor + "; this binding needs "
                                      + Native.VersionMajor + "." + Native.VersionMinor + ".", Status.Unsupported, "BITNET_E_UNSUPPORTED",
                                      ErrorFamily.Usage, "Install the library that fits, or set BITNET_LIBRARY to its path.", null);
        }

        /// <summary>
        /// Sets where log messages of at least a level go; null is silence, as from the start. What the handler throws
        /// comes out of the call that logged, on its thread.
        /// </summary>
        public static void SetLog(LogHandler handler, LogLevel level = LogLevel.Info)
        {
            EnsureLoaded();
            bitnet_log_callback callback = null;
            if (handler != null)
            {
                callback = (messageLevel, message, data) =>
                {
                    try
                    {
                        handler((LogLevel)messageLevel, Utf8.Text(message));
                    }
                    catch (Exception exception)
                    {
                        Failure.Keep(exception);
                    }
                };
            }
            lock (Lock)
            {
                Texts.SetLog(callback, level);
                GC.KeepAlive(logCallback); // the call has waited for running callbacks; now the one before may go
                logCallback = callback;
            }
        }

        // Mono looks for a function's library when it compiles the method that calls it. So these are methods of their
        // own, which nothing compiles before EnsureLoaded has run.
        private static class Texts
        {
            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static uint VersionNumber()
            {
                return Native.bitnet_version_number();
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static string Version()
            {
                return Utf8.Text(Native.bitnet_version_string());
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static string BuildInfo()
            {
                return Utf8.Text(Native.bitnet_build_info());
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static string[] Features()
            {
                string[] names = new string[(int)Native.bitnet_feature_get_count()];
                for (int i = 0; i < names.Length; i++) names[i] = Utf8.Text(Native.bitnet_feature_get_name((UIntPtr)i));
                return names;
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static int ThreadLimit()
            {
                return Native.bitnet_cpu_get_thread_limit();
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static ulong MemoryUsed()
            {
                return Native.bitnet_memory_get_used();
            }

            [MethodImpl(MethodImplOptions.NoInlining)]
            internal static void SetLog(bitnet_log_callback callback, LogLevel level)
            {
                Native.bitnet_log_set_callback(callback, (bitnet_log_level)level, null);
            }
        }
    }
}
