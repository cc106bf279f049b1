build-fp/replica/lib/log.o: replica/lib/log.c replica/lib/log.h \
 replica/lib/check.h
replica/lib/log.h:
replica/lib/check.h:
