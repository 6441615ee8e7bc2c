// What can compute here.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using BitNet.Interop;

namespace BitNet
{
    /// <summary>A device that can compute here; its name goes into <see cref="ModelOptions.Device"/>.</summary>
    public sealed unsafe class Device
    {
        private Device(string name)
        {
            Name = name;
            byte[] text = Utf8.Terminated(name, "name");
            bitnet_device_info info = new bitnet_device_info();
            info.struct_size = (uint)sizeof(bitnet_device_info);
            fixed (byte* device = text)
            {
                Failure.Check(Native.bitnet_device_get_info(device, &info));
                Kind = (DeviceKind)info.kind;
                Index = info.index;
                MaxThreads = info.max_threads;
                InstructionSets = Utf8.Text(info.simd);
                KernelLevel = Utf8.Text(info.kernel_level);
                bitnet_device_memory memory = new bitnet_device_memory();
                memory.struct_size = (uint)sizeof(bitnet_device_memory);
                // How much memory there is, is not known on every system.
                if (Native.bitnet_device_get_memory(device, &memory) != bitnet_status.BITNET_OK) return;
                TotalMemory = memory.total;
                FreeMemory = memory.free;
            }
        }

        /// <summary>The devices that can compute here, the best first.</summary>
        public static IReadOnlyList<Device> All
        {
            get
            {
                BitNetLibrary.EnsureLoaded();
                return List();
            }
        }

        /// <summary>Throws where a device cannot be used, with the reason.</summary>
        /// <param name="name">"auto", "cpu", "cuda", "cuda:1", "metal".</param>
        public static void Check(string name)
        {
            BitNetLibrary.EnsureLoaded();
            CheckName(Utf8.Path(name, "name"));
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Device[] List()
        {
            Device[] devices = new Device[(int)Native.bitnet_device_get_count()];
            for (int i = 0; i < devices.Length; i++) devices[i] = new Device(Utf8.Text(Native.bitnet_device_get_name((UIntPtr)i)));
            return devices;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void CheckName(byte[] name)
        {
            bitnet_status status;
            fixed (byte* device = name) status = Native.bitnet_device_check(device);
            Failure.Check(status);
        }

        /// <summary>"cpu".</summary>
        public string Name { get; private set; }

        public DeviceKind Kind { get; private set; }

        public int Index { get; private set; }

        public int MaxThreads { get; private set; }

        /// <summary>"scalar, avx2, avx512".</summary>
        public string InstructionSets { get; private set; }

        /// <summary>The one that models use by default.</summary>
        public string KernelLevel { get; private set; }

        /// <summary>Bytes; null where it is not known.</summary>
        public ulong? TotalMemory { get; private set; }

        public ulong? FreeMemory { get; private set; }
    }
}
