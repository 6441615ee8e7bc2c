// What all handles of bitnet.h have in common.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    /// <summary>
    /// A pointer of the library. One that a create or load function gave is freed once, when it is disposed and no call
    /// uses it any more, or by the garbage collector. One that was borrowed keeps its parent alive instead.
    /// </summary>
    public abstract class NativeHandle : SafeHandle
    {
        private NativeHandle parent;

        protected NativeHandle()
            : base(IntPtr.Zero, true)
        {
        }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        /// <summary>What must live as long as the handle: delegates that the library may call.</summary>
        internal object KeepAlive { get; set; }

        internal void Borrow(IntPtr pointer, NativeHandle from)
        {
            bool taken = false;
            from.DangerousAddRef(ref taken);
            parent = from;
            SetHandle(pointer);
        }

        protected abstract void Free(IntPtr pointer);

        protected override bool ReleaseHandle()
        {
            if (parent != null) parent.DangerousRelease();
            else Free(handle);
            return true;
        }
    }

    /// <summary>Holds a handle while its pointer stands in a struct or a list, where no call holds it.</summary>
    internal struct HandleLease : IDisposable
    {
        private NativeHandle held;

        internal IntPtr Pointer
        {
            get { return held == null ? IntPtr.Zero : held.DangerousGetHandle(); }
        }

        /// <summary>An ObjectDisposedException for a handle that was closed; null gives the pointer NULL.</summary>
        internal static HandleLease Of(NativeHandle handle)
        {
            HandleLease lease = new HandleLease();
            if (handle != null)
            {
                bool taken = false;
                handle.DangerousAddRef(ref taken);
                lease.held = handle;
            }
            return lease;
        }

        public void Dispose()
        {
            if (held != null) held.DangerousRelease();
            held = null;
        }
    }
}
