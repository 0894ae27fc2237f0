# The MT3620's ABI without Microsoft's SDK: armhf, musl, Cortex-A7. The program runs under qemu-arm; its libc
# is newer than the device's (64-bit time), so this build is for the lab only.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-linux-musleabihf-gcc)
set(CMAKE_STRIP /usr/bin/arm-linux-gnueabihf-strip CACHE FILEPATH "")
set(CMAKE_C_FLAGS_INIT
  "-march=armv7ve -mthumb -mfpu=neon-vfpv4 -mfloat-abi=hard -ffunction-sections -fdata-sections -fstack-protector-strong")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-pie -Wl,--gc-sections")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
