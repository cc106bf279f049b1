build-fp/replica/lib/check.o: replica/lib/check.c replica/lib/check.h
replica/lib/check.h:
