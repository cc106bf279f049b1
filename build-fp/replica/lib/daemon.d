build-fp/replica/lib/daemon.o: replica/lib/daemon.c replica/lib/daemon.h
replica/lib/daemon.h:
