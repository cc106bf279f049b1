build-fp/replica/lib/err.o: replica/lib/err.c replica/lib/err.h
replica/lib/err.h:
